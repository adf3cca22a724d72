"""Self-contained models made of a base and an adapter."""
