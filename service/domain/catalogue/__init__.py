"""Published catalogue entries: realms, tenants, filters, profiles, credentials. Knows no counter."""
