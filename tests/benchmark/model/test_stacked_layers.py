import numpy as np
import pytest
import tensorflow as tf

from benchmark.model.stacked_layers import Batch, Dropout, Head, Masks, learn

ROWS, COLUMNS = 600, 500


def dropped(words: np.ndarray, share: float, values: np.ndarray | None = None) -> np.ndarray:
    """The values (or ones) after a single dropout."""
    inputs = np.ones((len(words), COLUMNS), np.float32) if values is None else values
    masks = Masks(
        tf.constant(words[None]),
        tf.constant(np.array([round(share * 2**32)], np.uint32)),
        tf.constant(np.array([1 / (1 - share)], np.float32)),
    )
    layer = Head((Dropout("dropout"),))
    run = tf.function(lambda batch: learn(layer, [], batch, masks).logits, autograph=False, jit_compile=True)
    return np.asarray(run(Batch(tf.constant(inputs), tf.ones(len(inputs)))))


def words(number: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**32, number, dtype=np.uint32)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9])
def test_the_asked_share_is_dropped_and_the_rest_keeps_the_mean(share: float) -> None:
    found = dropped(words(ROWS), share)
    error = 5 * np.sqrt(share * (1 - share) / found.size)
    assert (found == 0).mean() == pytest.approx(share, abs=error)
    assert found.mean() == pytest.approx(1, abs=error / (1 - share))
    np.testing.assert_allclose(found[found > 0], 1 / (1 - share), rtol=1e-6)


def test_no_share_drops_nothing_and_changes_no_bit() -> None:
    values = np.random.default_rng(0).normal(size=(40, COLUMNS)).astype(np.float32)
    np.testing.assert_array_equal(dropped(words(40), 0.0, values), values)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_rows_and_columns_are_dropped_independently(share: float) -> None:
    kept = (dropped(words(ROWS), share) > 0).astype(np.float64)
    # Correlations of independent columns are about normal with deviation 1 / sqrt(rows).
    for table in (kept, kept.T):
        correlations = np.corrcoef(table, rowvar=False)[np.triu_indices(table.shape[1], 1)]
        assert correlations.std() * np.sqrt(len(table)) == pytest.approx(1, abs=0.03)
        assert abs(correlations.mean()) * np.sqrt(len(table)) < 0.02
        assert abs(correlations).max() * np.sqrt(len(table)) < 6
    # Counts of what each row and each column keeps scatter as binomial ones do.
    for axis, number in ((0, ROWS), (1, COLUMNS)):
        counts = kept.sum(axis=axis)
        assert counts.var() == pytest.approx(number * share * (1 - share), rel=0.25)


def test_four_cells_at_the_corners_of_a_rectangle_are_independent() -> None:
    signs = np.where(dropped(words(ROWS), 0.5) > 0, 1.0, -1.0)
    products = signs[0::2, 0::2] * signs[0::2, 1::2] * signs[1::2, 0::2] * signs[1::2, 1::2]
    assert abs(products.mean()) < 5 / np.sqrt(products.size)


def test_other_words_drop_other_values() -> None:
    left, right = dropped(words(ROWS), 0.5) > 0, dropped(words(ROWS, seed=1), 0.5) > 0
    assert (left == right).mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(left.size))
