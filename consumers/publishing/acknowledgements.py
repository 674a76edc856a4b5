"""The set of acknowledged records, by topic, partition and offset. Reads and sends nothing."""

from bisect import bisect_right, insort


class Acknowledged:
    """Acknowledged offsets by topic and partition. A run of consecutive offsets takes the memory of one."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, int], list[tuple[int, int]]] = {}
        """The first offset of each run, and the offset after its last."""

    def add(self, topic: str, partition: int, offset: int) -> None:
        """Adds a record."""
        runs = self._runs.setdefault((topic, partition), [])
        if runs and runs[-1][1] == offset:
            runs[-1] = (runs[-1][0], offset + 1)
        elif (topic, partition, offset) not in self:
            insort(runs, (offset, offset + 1))

    def __contains__(self, record: tuple[str, int, int]) -> bool:
        topic, partition, offset = record
        runs = self._runs.get((topic, partition), [])
        run = bisect_right(runs, offset, key=lambda one: one[0]) - 1
        return run >= 0 and offset < runs[run][1]

    def ends(self, topic: str) -> dict[int, int]:
        """Returns the offset after the last acknowledged record of each partition."""
        return {partition: runs[-1][1] for (name, partition), runs in self._runs.items() if name == topic}
