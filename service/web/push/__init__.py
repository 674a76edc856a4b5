"""Live views and their event streams. Keeps no backlog and replays nothing."""
