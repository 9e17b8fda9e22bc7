"""Labels of many texts, drawn from known probabilities."""

import numpy as np
from scipy.special import expit


def drawn_labels(texts=4_000, seed=0, temperature=1.0):
    """Return logits of three labels and labels drawn from their probabilities."""
    random = np.random.default_rng(seed)
    logits = random.normal([0.0, -2.0, -4.0], 1.5, (texts, 3)).astype(np.float32)
    return logits * np.float32(temperature), random.random((texts, 3)) < expit(logits)
