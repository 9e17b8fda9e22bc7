"""Files in and out, shared by `train` and `convert`; `predict` never loads it."""
