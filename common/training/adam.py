"""Adam as one operation per variable: Keras' own are twelve, each of which goes through the memory."""

from __future__ import annotations

from common.backend import keras, tf


class _OneOperation:
    """Changes a variable as Keras' Adam does, by TensorFlow's operation for that."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Change a variable and its two moments.

        Parameters
        ----------
        gradient, variable, learning_rate
            As for `keras.optimizers.Optimizer.update_step`.
        """
        dtype, number = variable.dtype, self._get_variable_index(variable)
        first, second = (tf.cast(one, dtype) for one in (self.beta_1, self.beta_2))
        step = tf.cast(self.iterations.value + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[number].value.handle,
            v=self._velocities[number].value.handle,
            beta1_power=first**step,
            beta2_power=second**step,
            lr=tf.cast(learning_rate, dtype),
            beta1=first,
            beta2=second,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
        )


class Adam(_OneOperation, keras.optimizers.Adam):
    """Keras' ``adam``, to the rounding of float32."""


class AdamW(_OneOperation, keras.optimizers.AdamW):
    """Keras' ``adamw``, to the rounding of float32."""


IN_ONE = {"adam": Adam, "adamw": AdamW}
"""Optimizers by their names in Keras."""
