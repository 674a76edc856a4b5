"""Journeys of billing panels: their published clients against the form API."""
