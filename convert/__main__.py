"""Runs `glovelite-convert` as `python -m convert`."""

from .cli import main

main()
