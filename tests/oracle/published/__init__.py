"""The inputs of the oracle: the log, its records, the catalogue."""
