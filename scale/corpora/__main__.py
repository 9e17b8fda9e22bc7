"""Runs `glovelite-corpus` as `python -m glovelite.scale.corpora`."""

from .cli import main

main()
