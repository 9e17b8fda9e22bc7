"""The search for the training options that suit a text best (`--autotune`)."""
