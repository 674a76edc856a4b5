"""The alert rules speak of metrics that there are, and lead to headings of the runbook, which knows every loud line."""

import ast
import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from consumers.__main__ import STOPPING
from consumers.metrics import ConsumerMetrics as ConsumerMetrics
from consumers.ops.store_watch import EVICTION, REFUSED
from service.web.ops.metrics import HttpMetrics as ServiceMetrics
from service.web.push.tally import StreamTally
from tests.deploy.clone import ROOT

RULES = ROOT / "deploy" / "alerts.yml"
RUNBOOK = ROOT / "docs" / "runbook.md"

RULE = re.compile(r"^ {6}- alert: (\w+)\n(.*?)(?=^ {6}- alert|^ {2}- name|\Z)", re.MULTILINE | re.DOTALL)
METRIC = re.compile(r"ticket_counts_\w+")
REASON = re.compile(r'(ticket_counts_\w+)\{reason="(\w+)"\}')
LEADS_TO = re.compile(r"runbook_url: docs/runbook\.md#(\S+)")

LOUD = ("log.warning", "log.error", "log.critical", "log.exception")


class Rule(NamedTuple):
    """One alert as it is written."""

    alert: str
    text: str


def rules() -> list[Rule]:
    return [Rule(*found) for found in RULE.findall(RULES.read_text())]


def sections() -> dict[str, str]:
    """What stands under each heading, by the name that a link to it has (as GitHub makes them)."""
    parts = re.split(r"^## (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"): text
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def samples(registry: CollectorRegistry) -> Iterator[str]:
    """Names of all that a scrape may have, of counters and histograms too."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}
    for family in registry.collect():
        yield from (family.name + suffix for suffix in suffixes.get(family.type, ("",)))


async def test_every_alert_speaks_of_metrics_that_there_are() -> None:
    there_are = {*samples(ConsumerMetrics().registry), *samples(ServiceMetrics(StreamTally()).registry)}
    assert len(rules()) == RULES.read_text().count("alert:") >= 35
    for rule in rules():
        named = set(METRIC.findall(rule.text))
        assert named, rule.alert
        assert named <= there_are, rule.alert


RATIO = re.compile(r"ticket_counts_http_requests?_\w+(\{[^}]*\})?\[")
PROBES = 'path!~"/(healthz|livez|readyz|metrics)"'


def test_shares_and_quantiles_of_requests_are_without_probes_and_scrapes() -> None:
    """Each comes at its own pace, and says 503 where a restart is nobody's trouble."""
    checked = 0
    for rule in rules():
        if " / " in rule.text.replace("\n", " ") or "histogram_quantile" in rule.text:
            for labels in RATIO.findall(rule.text):
                assert PROBES in labels, rule.alert
                checked += 1
    assert checked == 5


def registries() -> list[CollectorRegistry]:
    """All that this product serves at /metrics but a rebuild's, which has a progress alone."""
    return [ConsumerMetrics().registry, ServiceMetrics(StreamTally()).registry]


async def test_metrics_are_named_in_base_units() -> None:
    for registry in registries():
        for family in registry.collect():
            assert not re.search(r"_(ms|millis|milliseconds|us|minutes|kb|mb|timestamp)(_total)?$", family.name)
            assert family.type == "counter" or not family.name.endswith(("_total", "_keys"))


async def test_prometheus_finds_nothing_to_say_of_the_metrics() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool, of Debian's prometheus")
    for registry in registries():
        checking = [promtool, "check", "metrics"]
        done = await asyncio.to_thread(
            subprocess.run, checking, input=generate_latest(registry), capture_output=True, timeout=30, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_every_reason_that_an_alert_is_about_is_one_that_consumers_give() -> None:
    given = {"ticket_counts_stopped": set(STOPPING.values()), "ticket_counts_paused": {EVICTION, REFUSED}}
    about: dict[str, set[str]] = {}
    for name, reason in REASON.findall(RULES.read_text()):
        about.setdefault(name, set()).add(reason)
    assert about == given, "each reason has an alert of its own"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.alert)
def test_every_alert_leads_to_a_heading_that_is_about_it(rule: Rule) -> None:
    (heading,) = LEADS_TO.findall(rule.text)
    text = sections()[heading]
    assert f"`{rule.alert}`" in text
    assert all(part in text for part in ("**Means.**", "**Look at**", "**Do.**", "**Don't**")), "all that one needs"
    assert re.search(r"severity: (page|ticket)}", rule.text)
    assert "summary: " in rule.text


def test_the_runbook_is_about_no_alert_that_there_is_not() -> None:
    named = set(re.findall(r"^`(TicketCounts\w+)`$", RUNBOOK.read_text(), re.MULTILINE))
    assert named == {rule.alert for rule in rules()}


def test_every_link_within_the_runbook_leads_somewhere() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK.read_text())) <= set(sections())


def loud_lines() -> Iterator[str]:
    """What both processes log above `info`, as it stands in the code."""
    for package in ("consumers", "service"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in LOUD:
                    assert isinstance(node.args[0], ast.Constant), ast.unparse(node)
                    yield str(node.args[0].value)


def test_the_runbook_knows_every_loud_line() -> None:
    cells = re.findall(r"^\| (`.*?`) \|", sections()["log-lines"], re.MULTILINE)
    known = [line for cell in cells for line in re.findall(r"`([^`]+)`", cell)]
    lines = set(loud_lines())
    assert len(lines) > 30
    beginnings = tuple(one.removesuffix("…") for one in known if one.endswith("…"))
    assert [line for line in lines if line not in known and not (beginnings and line.startswith(beginnings))] == []
    assert [one for one in known if not any(line.startswith(one.removesuffix("…")) for line in lines)] == []


@pytest.mark.parametrize("command", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")])
def test_prometheus_takes_the_rules_and_alarms_as_they_say(command: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool, of Debian's prometheus")
    done = subprocess.run(
        [promtool, *command], cwd=ROOT / "deploy", capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
