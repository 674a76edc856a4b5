"""What streams send, and when."""
