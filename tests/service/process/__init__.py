"""The HTTP process as a whole: its socket, its workers, and clients that are slow or hostile."""
