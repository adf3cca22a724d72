"""Making checkpoints: what to make, where it lands, and what happens when one fails."""
