"""Tickets, the events that change them, and the rules of sequence and deletion. Knows no condition."""
