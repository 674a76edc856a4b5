"""Health checks, metrics and the access log. Never changes an answer."""
