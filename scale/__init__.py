"""Work on Ray, on a cluster or all cores of this machine: bulk scoring, corpora of large files."""
