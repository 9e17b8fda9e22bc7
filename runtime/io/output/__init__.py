"""Writing files and folders: complete or not at all, by one process at a time."""
