"""Stores answers by content, in tiers."""
