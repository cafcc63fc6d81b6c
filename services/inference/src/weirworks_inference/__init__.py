"""Runs ONNX models and serves the Open Inference Protocol."""
