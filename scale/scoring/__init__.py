"""Scores many files on Ray: `glovelite-score`."""
