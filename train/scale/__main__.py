"""Runs `glovelite-corpus` as `python -m train.scale`."""

from .corpus_cli import main

main()
