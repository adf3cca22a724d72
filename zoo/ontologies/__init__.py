"""Ontologies: concepts with their names, readers, sources, and what a link to a concept is."""
