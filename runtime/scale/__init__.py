"""Scoring of many files on a Ray cluster, or on all cores of this machine; needs the extra `scale`.

Nothing else imports this package.
"""
