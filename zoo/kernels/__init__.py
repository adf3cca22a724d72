"""The hand-written encoder for CPUs, for training and for tagging."""
