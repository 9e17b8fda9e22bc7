"""What follows from the probabilities of a text: its labels, and whether to rely on them."""
