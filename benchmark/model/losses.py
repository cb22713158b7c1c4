"""Losses: what training minimises, and the plain loss that may be compared with validation."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from benchmark.metrics import SMALLEST_PROBABILITY


class Losses(NamedTuple):
    """Two losses of each of N pictures, float32, in nats."""

    plain: tf.Tensor
    """Cross-entropy with the batch's labels: no weights, no focusing, no smoothing."""
    minimised: tf.Tensor


class Objective(NamedTuple):
    """What the loss of a training picture is multiplied with and softened by; numbers, or variables that hold them."""

    class_weights: tuple[float, ...] | tf.Variable
    focal_gamma: float | tf.Variable
    """The number 0 leaves focusing out."""
    label_smoothing: float | tf.Variable

    def losses(self, targets: tf.Tensor, logits: tf.Tensor) -> Losses:
        """The losses of logits (N, C) for targets (N, C) that sum to 1.

        A mixed picture weighs the mean of its classes' weights: sum over c of target_c * weight_c. The focal loss is
        -sum over c of target_c (1 - p_c)^gamma log p_c (Lin et al. 2017, ICCV).
        """
        log_probabilities = tf.nn.log_softmax(logits)
        plain = -tf.reduce_sum(targets * log_probabilities, axis=1)
        smooth = targets * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[-1]
        # The derivative of x^gamma at 0 is infinite for gamma below 1.
        distance = tf.maximum(1 - tf.exp(log_probabilities), SMALLEST_PROBABILITY)
        focuses = tf.is_tensor(self.focal_gamma) or self.focal_gamma > 0
        focus = tf.pow(distance, self.focal_gamma) if focuses else 1.0
        weights = tf.linalg.matvec(targets, tf.convert_to_tensor(self.class_weights, tf.float32))
        return Losses(plain, -weights * tf.reduce_sum(smooth * focus * log_probabilities, axis=1))
