"""Read use cases over the store's ports: counts, tallies, previews, column demands. Imports no Redis."""
