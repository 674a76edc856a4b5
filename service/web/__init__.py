"""The ASGI application. Each subpackage is one part of it; the modules here wire the parts together."""
