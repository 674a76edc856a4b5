"""One tenant's catalogue in force: its columns, their numbers, and the entries that each viewer sees."""
