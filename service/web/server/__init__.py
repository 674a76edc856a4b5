"""uvicorn, set up for us: limits on what and how slowly a client may send. Answers no whole request."""
