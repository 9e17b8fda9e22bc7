"""Classifies the rows of a file into another file: `glovelite-run BUNDLE --input FILE`."""
