"""Background work: backfills, on-demand columns, generation garbage collection. Yields to live work."""
