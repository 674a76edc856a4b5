"""One tenant's catalogue in force: its columns, their numbers, and what each viewer sees of it."""
