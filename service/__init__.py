"""The HTTP and SSE process, and what both processes share: clock, logs, time zones, turns of the event loop.

Nothing here knows Kafka. `consumers` may import it, never the other way round.
"""
