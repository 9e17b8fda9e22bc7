"""Runs `glovelite-run` as `python -m runtime`."""

from .cli import main

main()
