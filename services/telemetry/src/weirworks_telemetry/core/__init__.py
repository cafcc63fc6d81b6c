"""Decisions of telemetry: no clock, no I/O."""
