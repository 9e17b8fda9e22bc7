"""Runs `glovelite-train` as `python -m glovelite.train`."""

from .cli import main

main()
