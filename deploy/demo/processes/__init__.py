"""The processes of the demo: found, started, watched and ended together. Knows nothing of tickets."""
