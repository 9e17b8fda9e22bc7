"""Our search for training options against fastText's."""
