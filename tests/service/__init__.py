"""Tests of what service has outside its rooms."""
