"""Apache Kafka by its Maven coordinates, once per user. Never a run's own copy, never half a folder."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

KAFKA_VERSION = "4.3.0"
LOG4J_BINDING_VERSION = "2.24.3"  # without the binding the broker's log stays empty
OLDEST_JAVA = 17  # what Kafka 4 is compiled for
FETCH_S = 300.0  # 43 MB: 7 s where the index is near

POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ticket-counts</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_BINDING_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class KafkaNotFetched(Exception):
    """Maven couldn't fetch Kafka: see its output, or choose other servers."""


def jars_directory() -> Path:
    """Where the jars are, or will be, in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "ticket-counts" / f"kafka-{KAFKA_VERSION}"


def kafka_can_run() -> bool:
    """Whether a Java that is new enough is here, and the jars or Maven to fetch them."""
    return java_version() >= OLDEST_JAVA and (jars_directory().is_dir() or shutil.which("mvn") is not None)


def java_version() -> int:
    """The major version of the `java` on PATH, 0 without one."""
    try:
        said = subprocess.run(["java", "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', said)
    return int(found.group(1)) if found else 0


def fetch_jars() -> Path:
    """The folder with Kafka and all it needs, fetched if this user has none yet. Raises KafkaNotFetched."""
    target = jars_directory()
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as scratch:
        jars = Path(scratch) / "jars"
        _copy_dependencies(Path(scratch) / "pom.xml", jars)
        try:
            jars.rename(target)  # all or nothing: a run beside us sees the whole folder or none
        except OSError:
            if not target.is_dir():  # else the run beside us was faster
                raise
    return target


def _copy_dependencies(pom: Path, destination: Path) -> None:
    pom.write_text(POM)
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
    command = ["mvn", "-q", "-B", "-f", str(pom), goal, "-DincludeScope=runtime", f"-DoutputDirectory={destination}"]
    # Java takes the home of the password file, which a service account may not have: use the same as the cache.
    environ = {**os.environ, "MAVEN_OPTS": f"{os.environ.get('MAVEN_OPTS', '')} -Duser.home={Path.home()}"}
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=FETCH_S, check=False)
    except subprocess.TimeoutExpired:
        raise KafkaNotFetched(f"Maven hasn't fetched Kafka {KAFKA_VERSION} within {FETCH_S} s") from None
    if done.returncode != 0:
        raise KafkaNotFetched(
            f"Maven can't fetch Kafka {KAFKA_VERSION}; TICKET_COUNTS_TEST_SERVERS=embedded does without. It said:\n"
            f"{(done.stdout + done.stderr)[-2000:]}"
        )
