"""Files as lines, rows and objects; output that appears complete or not at all."""
