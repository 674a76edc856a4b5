"""Journeys in which a server or a process fails."""
