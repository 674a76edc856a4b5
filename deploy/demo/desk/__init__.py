"""An invented help desk: its people, its hours, its tickets. Knows no clock and opens nothing."""
