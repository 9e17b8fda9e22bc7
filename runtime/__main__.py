"""Runs `glovelite-run` as `python -m runtime`."""

from .cli.main import main

main()
