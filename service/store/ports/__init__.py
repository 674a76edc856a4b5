"""The promises of any store, one protocol per use: events, timers, catalogue, reads, … Holds types only."""
