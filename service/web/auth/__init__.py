"""Who may ask: tokens, keys, claims, rate limits, in the contract's order. Reads no query and no body."""
