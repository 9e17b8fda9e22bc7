"""Work for several machines, on Ray: the trials of a search, and corpora of large files."""
