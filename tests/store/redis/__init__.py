"""What only the Redis store promises."""
