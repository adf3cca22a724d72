"""Entity linking: the index of an ontology's names, and the cascade from a mention to its concept."""
