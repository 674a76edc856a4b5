"""Properties over whole random histories, against the oracle."""
