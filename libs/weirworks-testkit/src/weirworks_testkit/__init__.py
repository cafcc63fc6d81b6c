"""Gives tests tiny models, fake servers, and real ones on port 0."""
