"""Runs `glovelite-train` as `python -m train`."""

from .cli import main

main()
