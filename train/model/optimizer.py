"""Averages the weights over the steps of training: steadier than any one step, judged and kept."""

from __future__ import annotations

import keras
import tensorflow as tf


class AveragingAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam with a running average of the weights that soon forgets where they started.

    After n steps the momentum is at most n / (n + 2): early on it averages the later half of them,
    by polynomial decay (Shamir and Zhang, 2013, with eta = 1).
    """

    def __init__(self, learning_rate: float, momentum: float) -> None:
        """Start the optimizer.

        Args:
            learning_rate: Adam's.
            momentum: of the average, at the most; 0 has none.
        """
        super().__init__(learning_rate, use_ema=momentum > 0, ema_momentum=momentum)

    @property
    def ema_momentum(self) -> tf.Tensor:
        """The momentum of this step, which Keras asks for at every one."""
        done = tf.cast(self.iterations, tf.float32)
        return tf.minimum(self._momentum, done / (done + 2))

    @ema_momentum.setter
    def ema_momentum(self, momentum: float) -> None:
        self._momentum = momentum
