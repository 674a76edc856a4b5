"""Published clients of event streams against ours."""
