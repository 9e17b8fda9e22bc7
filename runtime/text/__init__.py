"""From text to ids: tokens, the vocabulary file, the index of hashed words."""
