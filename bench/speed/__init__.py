"""Speed and memory: of predictions, the server, training, parsing."""
