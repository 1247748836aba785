"""Trained models over many objects, into one file."""
