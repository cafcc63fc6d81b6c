"""Sends each request to the cache, a local model or a provider."""
