"""An invented help desk: its people, office hours and tickets. Reads no clock, and does no I/O."""
