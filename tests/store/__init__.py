"""Tests of service/store, on Redis, on Redis Cluster and on the fake."""
