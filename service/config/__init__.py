"""Settings of the HTTP process: read from the environment, checked, and explained. Opens nothing."""
