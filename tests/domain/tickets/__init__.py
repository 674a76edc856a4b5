"""Tests of service/domain/tickets."""
