"""Implements the ports in Redis, each method as one script or command. Decides nothing about tickets."""
