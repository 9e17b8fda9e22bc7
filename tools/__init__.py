"""Scripts for docs, platforms, damaged bundles and deployment: `python -m tools.NAME`."""
