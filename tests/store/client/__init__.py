"""Tests of service/store/client."""
