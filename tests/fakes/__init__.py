"""The in-memory store: held to the Redis store's contract tests. For tests only; nothing lasts."""
