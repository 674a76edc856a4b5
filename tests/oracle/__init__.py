"""A slow, obvious recount that shares no code with the product."""
