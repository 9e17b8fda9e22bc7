"""Other platforms: MediaPipe, microcontrollers, the browser."""
