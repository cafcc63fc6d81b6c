"""Where entries are kept; one contract suite runs on every store."""
