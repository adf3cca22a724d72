"""Backbones, the label space, LoRA, and windows that turn text into tokens and labels back into spans."""
