"""The Keras wing: the only part of `benchmark` that imports Keras and TensorFlow."""
