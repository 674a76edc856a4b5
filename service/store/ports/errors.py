"""Errors of the store, named by what the caller does next. Holds types only."""


class StoreUnavailable(Exception):
    """The store doesn't answer, and may or may not have written: keep the position, try again."""


class StoreUnable(StoreUnavailable):
    """The store answers but accepts no writes: it is full, or can't persist them. Nothing was written."""


class StoreDenied(StoreUnavailable):
    """The store refuses this client's password or permissions: a retry doesn't help. Nothing was written."""


class StoreRefused(Exception):
    """The store is unusable as it is (layout, version, settings): an operator has to act first."""
