"""`python -m consumers.audit`: recounts tickets, compares counters with the recount, and repairs proven drift."""
