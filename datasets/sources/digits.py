"""scikit-learn's 1,797 real handwritten digits, written out as PNG files and made imbalanced."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from datasets.generated import generated_folder, long_tail
from datasets.listing import list_folder
from datasets.sources import SourceRows, source
from datasets.sources.folder import rows_of
from datasets.spec import DatasetLocation, DatasetSpec, DigitsRule


@source
def digits(spec: DatasetSpec, location: DatasetLocation, cache_dir: Path) -> SourceRows:
    """Class k (0..9) keeps max_count * imbalance**(-k/9) of its pictures, drawn by the rule's seed."""
    assert spec.digits is not None
    root = generated_folder(cache_dir, "digits", spec.digits, _write)
    return rows_of(root, list_folder(root, "", allow_outside_root=False))


def _write(rule: DigitsRule, folder: Path) -> None:
    bunch = load_digits()
    images = np.rint(bunch.images / 16 * 255).astype(np.uint8)
    generator = np.random.default_rng(rule.seed)
    fewest = int(np.bincount(bunch.target).min())
    for digit, count in enumerate(long_tail(fewest, rule.imbalance, 10)):
        members = np.flatnonzero(bunch.target == digit)
        (folder / str(digit)).mkdir()
        for index in sorted(generator.permutation(members)[:count].tolist()):
            # Nearest neighbour keeps every one of the 64 values exactly as scanned.
            image = Image.fromarray(images[index]).resize((rule.size, rule.size), Image.Resampling.NEAREST)
            image.save(folder / str(digit) / f"{index:04d}.png")
