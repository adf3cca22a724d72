"""Reading annotated text: documents with half-open character spans, readers, splits, fingerprints."""
