"""What callers may expect of any store, as protocols and values. Holds types only."""
