"""The demo: what it publishes, whom it signs in, and what it says. Starts no process itself."""
