"""Decisions of the router: no clock, no I/O."""
