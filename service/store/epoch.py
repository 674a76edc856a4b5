"""The epoch that readers see: within one, a version never goes back. Pure."""

import hashlib
from functools import lru_cache


@lru_cache(maxsize=4096)  # one per tenant and run
def epoch_in(run: str, minted: str, generation: str) -> str:
    """Differs after a rewind (`minted`), a rebuild (`generation`), and whenever Redis is another run.

    Another run may have lost what the last one acknowledged, and readers can't wait until a consumer has found out.
    """
    return hashlib.blake2b(f"{run}/{minted}/{generation}".encode(), digest_size=8).hexdigest()
