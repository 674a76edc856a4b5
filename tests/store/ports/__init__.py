"""What every store promises, checked on each of them."""
