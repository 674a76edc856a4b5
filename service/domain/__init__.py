"""The rules of counting as pure values and functions: no clock, no I/O. Store, queries and web build on it."""
