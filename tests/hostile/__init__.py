"""Attacks of one caller, each bounded, while a well-behaved neighbour asks and measures."""
