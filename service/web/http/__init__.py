"""Requests, replies, headers and errors as values. Knows no path of the API."""
