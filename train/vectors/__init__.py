"""Word vectors: from their sources to the embedding table of a vocabulary."""
