"""The optional HTTP server: `glovelite-run BUNDLE --serve`."""
