"""`python -m consumers.rebuild`: counts tenants into new generations and swaps. Never writes to a serving one."""
