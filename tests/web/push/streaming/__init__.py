"""Clients of event streams, over ASGI and over HTTP, and a clock that tests turn."""
