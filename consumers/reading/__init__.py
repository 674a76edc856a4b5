"""How every program here reads records from Kafka: whatever bytes the brokers hand out, stepped over exactly.

Here belongs what stands between a fetch response and records. What a record means doesn't: that is decoding.
"""
