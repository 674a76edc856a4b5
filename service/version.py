"""The version of this package, also where it runs from a clone without an installation. Never reads metadata."""

VERSION = "0.1.0"

ABOUT = f"ticket-counts {VERSION}"
"""The output of `--version`, the same for every program."""
