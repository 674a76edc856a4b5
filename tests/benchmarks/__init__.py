"""`python -m tests.benchmarks`: throughput and latency, against bare loops over the same bytes."""
