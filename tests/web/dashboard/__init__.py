"""Tests of service/web/dashboard's files; tests/browser looks at them in a browser."""
