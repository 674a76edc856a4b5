"""`python -m consumers.rebuild`: counts a tenant into a new generation and swaps. Never touches what serves."""
