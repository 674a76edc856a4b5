"""What counts, as pure values and functions: no clock, no I/O. Store, queries and web stand on it."""
