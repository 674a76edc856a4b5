"""Tickets, their events, and the rules of sequence and deletion. Knows no condition."""
