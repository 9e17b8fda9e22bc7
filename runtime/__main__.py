"""Runs `glovelite-run` as `python -m glovelite.runtime`."""

from .cli.main import main

main()
