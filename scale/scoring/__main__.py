"""Runs `glovelite-score` as `python -m glovelite.scale.scoring`."""

from .cli import main

main()
