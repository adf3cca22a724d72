"""Tagging at scale: documents in, entities out, in memory that does not grow with them."""
