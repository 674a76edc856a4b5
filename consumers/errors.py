"""Errors of the consumers, each named by the caller's next action. Imports nothing but the store's types.

An exception that only one command raises lives in that command's module.
"""

from collections.abc import Mapping

from service.store.ports.catalogue import Bucket, Position


class Rewind(Exception):
    """The store lost acknowledged writes: read again from its positions, in a new epoch."""

    def __init__(self, bucket: Bucket, positions: Mapping[int, Position]) -> None:
        super().__init__(f"bucket {bucket} is back at {dict(positions)}")
        self.bucket = bucket


class ForeignTopic(Exception):
    """The topic isn't the one that the store's offsets belong to: an operator has to decide."""


class OlderCode(Exception):
    """A newer release built the store's columns, so this process must not write. Upgrade it or stop it."""


class Incurable(Exception):
    """A Kafka error that no retry fixes: an operator has to act. The message names the error."""


class Flood(Exception):
    """Too many bad records: the publisher or this program must be wrong. Stop and alert an operator."""


class RetentionOvertook(Exception):
    """Retention deleted records that aren't counted yet: to go on would lose events silently."""


class LogShrank(Exception):
    """The log ends before the stored position: new records below that position would never be read."""


class TopicsUnusable(Exception):
    """A topic can't be created or has the wrong configuration. The message says what the operator has to change."""


class BuildingChanged(Exception):
    """Another process changed the generation being built: read it again and continue from there."""


class RebuildRefused(Exception):
    """A rebuild can't start or continue; the serving generation is unchanged. The message gives cause and remedy."""


class LogSilent(Exception):
    """The log has records that don't arrive: wait and try again."""
