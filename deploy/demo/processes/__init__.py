"""Finds, starts, watches and ends the demo's processes. Knows nothing of tickets."""
