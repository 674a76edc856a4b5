"""The process around the application: the listening socket and the workers. Knows no request."""
