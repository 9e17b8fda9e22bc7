"""Makes corpus folders of large files, here or on Ray: `glovelite-corpus`."""
