"""Tagging on engines that people have already: Ray Data and Ray Serve, `datasets.map`, spaCy."""
