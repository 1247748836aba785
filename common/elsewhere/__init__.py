"""Trained models for other programs: ONNX files that say what they mean, a SavedModel, a page for the browser."""
