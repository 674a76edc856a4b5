"""Errors of the consumers, each named by what its catcher does next. Imports nothing but the store's types.

An exception that only one command knows stays with that command.
"""

from collections.abc import Mapping

from service.store.ports.catalogue import Bucket, Position


class Rewind(Exception):
    """The store lost acknowledged writes: start again from its positions, in a new epoch."""

    def __init__(self, bucket: Bucket, positions: Mapping[int, Position]) -> None:
        super().__init__(f"bucket {bucket} is back at {dict(positions)}")
        self.bucket = bucket


class ForeignTopic(Exception):
    """The store's positions belong to another events topic of this name: an operator has to decide."""


class OlderCode(Exception):
    """The store's columns were made by a newer release: this one must not write. Upgrade it, or stop it."""


class Incurable(Exception):
    """No retry cures this error of Kafka: an operator has to act. The message names it."""


class Flood(Exception):
    """Too many bad records: something is wrong with the publisher or with this program. Stop, and call somebody."""


class RetentionOvertook(Exception):
    """The log no longer has what the store still needs: counting on would lose events silently."""


class LogShrank(Exception):
    """The log ends before what was counted: whatever is written into the gap would never be read."""


class TopicsUnusable(Exception):
    """A topic can't be made, or isn't what the consumers need: the operator has to act. The message says on what."""


class BuildingChanged(Exception):
    """The generation being built is not what this process knew: read it again, and go on from there."""


class RebuildRefused(Exception):
    """A rebuild doesn't begin or go on; what serves is unchanged. The message says why and what can be done."""


class LogSilent(Exception):
    """Records that the log has don't arrive: wait, and try again."""
