"""The JSON API: handlers that read parameters and shape answers. Counts nothing, and authenticates nobody."""
