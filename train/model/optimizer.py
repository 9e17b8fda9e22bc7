"""Adam with a running average of the weights, which is evaluated and kept."""

from __future__ import annotations

import keras
import tensorflow as tf


class AveragingAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam with a running average of the weights that quickly forgets their start.

    After n steps the momentum is at most n / (n + 2): early on it averages the later half of the
    steps, by polynomial decay (Shamir and Zhang, 2013, with eta = 1).
    """

    def __init__(self, learning_rate: float, momentum: float) -> None:
        """Create the optimizer.

        Args:
            learning_rate: of Adam.
            momentum: maximum momentum of the average; 0 for no average.
        """
        super().__init__(learning_rate, use_ema=momentum > 0, ema_momentum=momentum)

    @property
    def ema_momentum(self) -> tf.Tensor:
        """The momentum of the current step; Keras reads it at every step."""
        step = tf.cast(self.iterations, tf.float32)
        return tf.minimum(self._momentum, step / (step + 2))

    @ema_momentum.setter
    def ema_momentum(self, momentum: float) -> None:
        self._momentum = momentum
