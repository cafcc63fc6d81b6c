"""Resizes inference replicas from predicted load."""
