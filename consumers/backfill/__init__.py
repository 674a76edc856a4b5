"""Background work: new columns, columns on demand, what generations left behind. Yields to live work."""
