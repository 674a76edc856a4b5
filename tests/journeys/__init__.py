"""The whole system on real Kafka and Redis: programs are started as people start them."""
