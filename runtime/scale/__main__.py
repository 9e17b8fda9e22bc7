"""Runs `glovelite-score` as `python -m runtime.scale`."""

from .cli import main

main()
