"""Deployment: image, locked requirements, alerts, the console script, and what compose and `make demo` start."""
