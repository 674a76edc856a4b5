"""The page at `/`: its endpoints here, its files below. Any client can do what it does."""
