"""Random catalogues, conditions, tickets and histories."""
