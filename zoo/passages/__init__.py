"""Raw text for domain-adaptive pre-training."""
