"""Where the records stand that brokers have acknowledged. Reads and sends nothing."""

from bisect import bisect_right, insort


class Acknowledged:
    """Offsets by topic and partition; those that are added one after the other take the room of one."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, int], list[tuple[int, int]]] = {}
        """First offset of each run, and the one after its last."""

    def add(self, topic: str, partition: int, offset: int) -> None:
        """One more record."""
        runs = self._runs.setdefault((topic, partition), [])
        if runs and runs[-1][1] == offset:
            runs[-1] = (runs[-1][0], offset + 1)
        elif (topic, partition, offset) not in self:
            insort(runs, (offset, offset + 1))

    def __contains__(self, place: tuple[str, int, int]) -> bool:
        topic, partition, offset = place
        runs = self._runs.get((topic, partition), [])
        run = bisect_right(runs, offset, key=lambda one: one[0]) - 1
        return run >= 0 and offset < runs[run][1]

    def ends(self, topic: str) -> dict[int, int]:
        """By partition of the topic, the offset after the last one."""
        return {partition: runs[-1][1] for (name, partition), runs in self._runs.items() if name == topic}
