"""The ports in Redis, each promise as one script or command. Decides nothing about tickets."""
