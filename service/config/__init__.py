"""Settings of the HTTP process, and their shared base: read from the environment, checked, and explained."""
