"""The clock port: where "now" comes from. Never used inside the domain, which takes `now` as an argument."""

import time
from typing import Protocol

from service.domain.tickets.ticket import Instant


class Clock(Protocol):
    """A source of the current time. Two implementations exist: the system's clock, and one that tests set."""

    def now_us(self) -> Instant:
        """Returns the current instant, in microseconds since the Unix epoch."""


class SystemClock:
    """The clock of this machine."""

    def now_us(self) -> Instant:
        return time.time_ns() // 1000
