"""Readers of passages: one module a format, registered in `zoo.registry.formats`, imported when needed."""
