"""Everything Redis: key names, value encoding, scripts. Knows no Kafka and no HTTP."""
