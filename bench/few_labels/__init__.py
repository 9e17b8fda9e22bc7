"""Training with few labels: a teacher, self-training, and which texts to label."""
