"""The process around the application: the listening socket and the workers. Handles no request."""
