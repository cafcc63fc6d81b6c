"""The demo: the main job on real input, and a day in fast time."""
