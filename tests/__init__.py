"""Tests. Folders mirror the rooms of the product; oracle, fakes, support, journeys and benchmarks are their own."""
