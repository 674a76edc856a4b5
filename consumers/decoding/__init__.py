"""Records of the events topic as checked events. Never knows what came before."""
