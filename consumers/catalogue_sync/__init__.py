"""Carries the catalogue topic into the store, tenant by tenant, never older over newer. Knows no ticket."""
