"""Files of text, tables and objects as lines, rows and records."""
