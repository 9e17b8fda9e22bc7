"""Runs `glovelite-convert` as `python -m glovelite.convert`."""

from .cli import main

main()
