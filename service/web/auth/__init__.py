"""Authentication and rate limits: tokens, keys, claims, the gate. Reads no query and no body."""
