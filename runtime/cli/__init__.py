"""The command `glovelite-run`."""
