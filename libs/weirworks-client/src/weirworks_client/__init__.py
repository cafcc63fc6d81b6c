"""Calls Weirworks from Python.

async with WeirClient("router:8001") as weir:
    answer = await weir.classify(photo)
"""

from weirworks_rpc import WeirError

from weirworks_client.answers import Classes, Generated, Label, Planned, Vectors
from weirworks_client.client import WeirClient

__all__ = ["Classes", "Generated", "Label", "Planned", "Vectors", "WeirClient", "WeirError"]
