"""Brokers: Apache Kafka and Tansu."""
