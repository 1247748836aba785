"""Explore a model's training options: ``train.py sweep``."""
