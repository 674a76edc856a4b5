"""Tokens that never repeat: they name epochs, generations and states of records."""

import secrets
import time


def new_random_id() -> str:
    """Time and chance, never counted up: a store that went back can't mint the same one again."""
    return f"{time.time_ns() // 1000:x}{secrets.token_hex(4)}"
