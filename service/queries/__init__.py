"""Use cases of reading, over the store's ports: counts, tallies, previews, column demands. Knows no Redis."""
