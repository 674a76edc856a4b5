"""Publishes lines to Kafka for the commands: reads, checks and sends them, and waits until they are applied."""
