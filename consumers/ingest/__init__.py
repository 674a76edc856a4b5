"""The loop of records and the clock of deadlines. Decides nothing about what an event means."""
