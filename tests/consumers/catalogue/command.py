"""`python -m consumers.catalogue` within a test's own event loop."""

from consumers.catalogue import arguments
from consumers.catalogue.__main__ import run


async def catalogue(*argv: str) -> int:
    """The exit status of the command with these arguments."""
    return await run(arguments.parse(["catalogue", *argv]))
