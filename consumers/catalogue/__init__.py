"""`python -m consumers.catalogue`: checks, shows and explains catalogues. Publishes nothing."""
