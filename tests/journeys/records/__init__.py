"""Journeys of records that are odd, bad or hostile."""
