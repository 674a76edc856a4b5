"""The form API of billing panels. Shares no envelope with the JSON API."""
