"""The form API of billing panels. Never uses the JSON API's envelope."""
