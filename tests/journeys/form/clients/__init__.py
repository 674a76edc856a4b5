"""Real clients of the form API, in PHP, JavaScript and Python, as panels use them."""
