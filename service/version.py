"""The version of this package, also where it runs from a clone and nothing is installed. Only a name."""

VERSION = "0.1.0"

ABOUT = f"ticket-counts {VERSION}"
"""What `--version` of every program prints."""
