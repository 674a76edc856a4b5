"""Redis for tests: one server, and a cluster."""
