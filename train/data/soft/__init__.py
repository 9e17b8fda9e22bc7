"""Soft labels: texts that are trained on towards the scores of a teacher."""
