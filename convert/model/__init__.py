"""The trained weights as numpy arrays, and transformations of them."""
