"""Fine-tuning of adapters."""
