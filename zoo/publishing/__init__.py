"""What is told about a model: energy, results, cards, the board."""
