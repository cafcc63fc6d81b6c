"""Replicas for the load to come, at the least cost that keeps late requests within what is allowed."""
