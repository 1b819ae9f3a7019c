"""Weights & Biases and other loggers: shows what was computed, changes none of it."""
