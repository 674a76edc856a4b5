"""Who may open a stream, and what ends one."""
