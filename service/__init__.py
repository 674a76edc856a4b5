"""The HTTP and SSE process, and what both processes share: clock, logs, time zones, turns of the event loop.

Never imports Kafka code or `consumers`: `consumers` imports this package.
"""
