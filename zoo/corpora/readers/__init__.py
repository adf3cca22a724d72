"""Readers of annotated corpora, one module a format."""
