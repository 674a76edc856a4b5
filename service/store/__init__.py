"""Everything about Redis: ports, key names, value encoding, scripts, clients. Imports no Kafka and no HTTP."""
