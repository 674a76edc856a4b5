"""Redis and Kafka for tests: chosen, started, shared and ended."""
