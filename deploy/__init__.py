"""Deployment: image, locked requirements, alerts, and the programs that compose and `make demo` start."""
