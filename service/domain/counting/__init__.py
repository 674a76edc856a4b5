"""Columns, scopes, time buckets and the signed sums over them. Knows no catalogue entry."""
