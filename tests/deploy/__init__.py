"""Tests of deploy, of the documents and of their commands."""
