"""The training loop, its checkpoints, and the scores of what it produced."""
