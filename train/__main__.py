"""`python -m train` is `glovelite-train`."""

from .cli import main

main()
