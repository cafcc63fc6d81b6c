"""Decisions of the cache: no clock, no I/O."""
