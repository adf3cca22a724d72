"""Readers of passages, one module a format."""
