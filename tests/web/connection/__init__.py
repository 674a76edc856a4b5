"""HTTP on the wire: what one connection reads as requests, and what it answers. No socket, no store."""
