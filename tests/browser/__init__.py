"""The page in a real browser, over a fake service."""
