"""`python -m runtime` is `glovelite-run`."""

from .cli import main

main()
