"""Pauses reading from a connection while bytes that it has sent wait to be parsed. Never looks at the bytes."""

from asyncio import Transport

from uvicorn.protocols.http.flow_control import FlowControl


class Intake(FlowControl):
    """uvicorn's flow control with a second reason to pause beside its own (a body that is read slowly)."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._holding = False

    def hold(self) -> None:
        """Pauses reading until `release`, also when uvicorn wants to resume it."""
        self._holding = True
        self._transport.pause_reading()

    def release(self) -> None:
        """Resumes reading, unless uvicorn has paused it too."""
        if self._holding:
            self._holding = False
            if not self.read_paused and not self._transport.is_closing():
                self._transport.resume_reading()

    def resume_reading(self) -> None:
        if self._holding:
            self.read_paused = False
        else:
            super().resume_reading()
