"""`python -m convert` is `glovelite-convert`."""

from .cli import main

main()
