"""The decision, pure: `step.decide` runs the same live, in tests and in replay."""
