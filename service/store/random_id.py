"""Random ids that never repeat, for epochs, generations and record versions. Keeps no counter."""

import secrets
import time


def new_random_id() -> str:
    """Returns a new id from the time and random bytes. A counter could repeat an id after the store went back."""
    return f"{time.time_ns() // 1000:x}{secrets.token_hex(4)}"
