"""Health, metrics and the access log. Changes no answer."""
