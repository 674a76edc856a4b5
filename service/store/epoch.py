"""Computes the epoch that readers see: within one epoch, a version never goes back. Pure."""

import hashlib
from functools import lru_cache


@lru_cache(maxsize=4096)  # one per tenant and run
def epoch_in(run: str, minted: str, generation: str) -> str:
    """Returns the epoch; it changes after a rewind (`minted`), a rebuild (`generation`), and with each run of Redis.

    A new run may have lost acknowledged writes, and readers can't wait until a consumer has found out.
    """
    return hashlib.blake2b(f"{run}/{minted}/{generation}".encode(), digest_size=8).hexdigest()
