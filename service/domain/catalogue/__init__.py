"""Catalogue entries as published: realms, tenants, filters, profiles, credentials. Knows no counter."""
