"""Tests of consumers/publishing and of `python -m consumers.publish`."""
