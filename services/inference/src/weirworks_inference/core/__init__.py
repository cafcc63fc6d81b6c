"""Decisions of the inference service: no clock, no I/O."""
