"""What a fault run is made of: load, watch, and the judge."""
