"""Models that are trained to measure something and are not kept."""
