"""The one command: `weir`."""
