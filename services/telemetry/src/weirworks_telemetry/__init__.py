"""Keeps traces, metrics, logs, events and the load history."""
