"""Fault runs: nemeses against a loaded system, judged by an independent recount."""
