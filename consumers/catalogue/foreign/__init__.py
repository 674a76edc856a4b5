"""Other help desks' saved filters as entries of ours. Reads no file and publishes nothing."""
