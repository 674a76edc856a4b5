"""Live views and the event streams that show them. Keeps no backlog and replays nothing."""
