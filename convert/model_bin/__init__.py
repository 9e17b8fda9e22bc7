"""Writes `model.bin`: weights and words in one file, for engines without an interpreter."""
