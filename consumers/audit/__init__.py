"""`python -m consumers.audit`: recounts tickets, compares counters, repairs what is proven wrong."""
