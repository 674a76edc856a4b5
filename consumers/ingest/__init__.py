"""The poll loop, partition assignment, freshness and the due-ticket timers. Never interprets an event."""
