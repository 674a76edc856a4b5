"""Tests of service/web: one world of a store and an application serves them all."""
