"""How many examples a property draws: all in `make test-all`, a quarter in `make test`. Draws nothing itself."""

from typing import Final

from hypothesis import settings

QUICK: Final = "quick"
"""The hypothesis profile of `make test`; `tests/conftest.py` registers it."""

FEWEST: Final = 10
"""Fewer examples than this find little."""


def is_quick() -> bool:
    """Whether this run is `make test`, which checks everything once and leaves the many to `make test-all`."""
    return settings.get_current_profile_name() == QUICK


def examples(whole: int) -> int:
    """`whole`, or under the quick profile a quarter of it, at least 10."""
    return max(whole // 4, min(whole, FEWEST)) if is_quick() else whole
