"""Lines into Kafka: reading, checking, sending, waiting until they count. The commands stand on it."""
