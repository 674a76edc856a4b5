"""The serving generations of one bucket, as a step target. Never builds a generation."""

from collections.abc import Iterable, Mapping, Sequence

from consumers.engine.step import TargetRead
from consumers.engine.tenants import CompiledTenant, Tenants
from consumers.errors import ForeignTopic, Rewind
from service.store.ports.catalogue import Bucket, Position
from service.store.ports.steps import Applied, Batch, Behind, EventStore, Loaded, OtherTopic, Outcome

Positions = dict[tuple[Bucket, int], Position]
"""Positions by bucket and partition."""


class ServingBucket:
    """See `StepTarget`. Also raises ForeignTopic, OlderCode and, with `positions`, Rewind."""

    def __init__(
        self, store: EventStore, tenants: Tenants, topic_id: str, bucket: Bucket, positions: Positions | None = None
    ) -> None:
        """`positions`: the last known positions of the assigned partitions, updated by each write.

        None when the steps apply no events.
        """
        self.bucket = bucket
        self.topic_id = topic_id
        self.names_unchanged = positions is None
        self._store = store
        self._tenants = tenants
        self._positions = {} if positions is None else positions

    async def tenants(self, names: Iterable[str]) -> Mapping[str, CompiledTenant]:
        return await self._tenants.synchronized(names)

    async def reload(self, names: Iterable[str]) -> None:
        for name in names:
            await self._tenants.synchronize(name)

    async def load(self, tickets: Mapping[str, Sequence[str]], tenants: Mapping[str, CompiledTenant]) -> TargetRead:
        generations = {name: tenant.generation for name, tenant in tenants.items()}
        loaded = await self._store.load(self.bucket, tickets, generations)
        state = loaded.state
        if state.topic not in ("", self.topic_id):
            raise ForeignTopic(state.topic)
        for partition, position in state.positions.items():
            if position < self._positions.get((self.bucket, partition), position):
                raise Rewind(self.bucket, state.positions)
        return TargetRead(loaded)

    def known(self, partition: int, loaded: Loaded) -> Position | None:
        return self._positions.get((self.bucket, partition))

    async def apply(self, batch: Batch) -> Outcome:
        outcome = await self._store.apply(batch)
        match outcome:
            case Applied():
                for partition, progress in batch.progress.items():
                    place = (self.bucket, partition)
                    self._positions[place] = max(self._positions.get(place, 0), progress.position)
            case Behind(positions):
                raise Rewind(self.bucket, positions)
            case OtherTopic(topic):
                raise ForeignTopic(topic)
        return outcome
