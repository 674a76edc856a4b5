"""Decodes records of the events topic to validated events. Keeps no state between records."""
