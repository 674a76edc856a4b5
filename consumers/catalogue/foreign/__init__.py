"""Translates the saved filters of other help desks into filter entries. Reads no file and publishes nothing."""
