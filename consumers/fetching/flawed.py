"""A record, or a batch of them, that the Kafka client can't make records of. Knows no topic's meaning."""

import msgspec


class FlawedRecord(msgspec.Struct, frozen=True):
    """What can be said of it, in the shape of a record; `flaw` says what is wrong.

    Of a batch, `value` has its bytes as they were fetched, and `offset` is the first one that it stands for. Header
    names that aren't UTF-8 have a surrogate for each byte that is wrong, as `os.fsdecode` makes them.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    flaw: str
    of_batch: bool = False
