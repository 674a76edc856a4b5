"""Health, liveness, the clock and the watch over Redis. Reads state and changes none."""
