"""Formats the log lines of both processes and their libraries, on stderr. Never decides what is logged."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor

LogFormat = Literal["json", "console"]

QUIETED = {"aiokafka": logging.INFO, "asyncio": logging.INFO}
"""The lowest level of these loggers: at `debug` aiokafka prints whole records, including hashes of secrets."""


def set_up(level: str, log_format: LogFormat, process: str) -> None:
    """Makes structlog and the standard library write each message as one line to stderr, tagged with `process`.

    `level` is `debug`, `info`, `warning` or `error`. A later call replaces the settings of an earlier one.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # loggers made at import must follow a later call
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, floor in QUIETED.items():
        logging.getLogger(name).setLevel(max(floor, root.level))


def _rendering(log_format: LogFormat) -> list[Processor]:
    # Tracebacks leave out local variables, which hold tokens and tickets.
    if log_format == "console":
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
