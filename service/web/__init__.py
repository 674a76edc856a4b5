"""The Starlette application. Its rooms are below; here they are wired together."""
