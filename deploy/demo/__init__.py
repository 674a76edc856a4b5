"""The demo: its sample data, sign-in tokens and printed texts. Only `processes` starts processes."""
