"""The page at `/`: its endpoints and its files. Never uses an API that other clients can't use."""
