"""Apache Kafka by its Maven coordinates. Starts nothing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.fetched import cached, fetched, run

KAFKA_VERSION = "4.3.0"
LOG4J_BINDING_VERSION = "2.24.3"  # without the binding the broker's log stays empty
OLDEST_JAVA = 17  # what Kafka 4 is compiled for

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


def jars_directory() -> Path:
    """Where the jars are, or will be, in the user's cache."""
    return cached(f"kafka-{KAFKA_VERSION}")


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
    """The folder with Kafka and all it needs, fetched if this user has none yet. Raises NotFetched."""
    return fetched(jars_directory().name, _copy_dependencies)


def _copy_dependencies(destination: Path) -> None:
    pom = destination.with_name("pom.xml")
    pom.write_text(POM)
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
    command = ["mvn", "-q", "-B", "-f", str(pom), goal, "-DincludeScope=runtime", f"-DoutputDirectory={destination}"]
    # Java takes the home of the password file, which a service account may not have: use the same as the cache.
    environ = {**os.environ, "MAVEN_OPTS": f"{os.environ.get('MAVEN_OPTS', '')} -Duser.home={Path.home()}"}
    run(command, destination, environ)
