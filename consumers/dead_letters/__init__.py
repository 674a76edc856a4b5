"""Dead letters: sent by the consumer, listed and replayed by `python -m consumers.dead_letters`."""
