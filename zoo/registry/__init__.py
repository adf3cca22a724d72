"""What exists: backbones, corpora, passages, recipes, suites and the label space, as checked YAML entries."""
