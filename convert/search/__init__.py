"""Finds the most accurate bundle within a budget of bytes and latency."""
