"""The Keras models: layers, the model that is trained, the plain model that is saved."""
