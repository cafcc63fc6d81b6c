"""Settings of every test run."""

from hypothesis import settings

# A time limit per example says how busy the machine is, not whether the code is right.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
