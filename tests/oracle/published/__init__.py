"""What an oracle reads: the log, its records, its catalogue."""
