"""How much faster batches come from the pixel cache than from files: python tests/performance/data_pixels.py [FILES]

The bound: at least 20 times. Photographs of 512 x 384 pixels, squares of 224, batches of 64 in random order.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from datasets.decoding import decode, quiet_decoding
from datasets.pixels import pixels
from datasets.prepare import prepare
from datasets.resizing import square
from datasets.spec import dataset_from_mapping

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"
SIDE, BATCH = 224, 64


def make_pictures(root: Path, number: int) -> None:
    """Write so many different JPEG files of 512 x 384 in two class folders."""
    random = np.random.default_rng(0)
    for index in range(number):
        folder = root / f"class{index % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        fine = np.asarray(Image.fromarray(coarse).resize((512, 384), Image.Resampling.BICUBIC)).astype(int)
        noisy = np.clip(fine + random.integers(-12, 13, fine.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{index:05d}.jpg", quality=85)


def main() -> None:
    """Measure and print."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 640
    with tempfile.TemporaryDirectory() as folder:
        make_pictures(Path(folder) / "pictures", number)
        options = yaml.safe_load((CONF / "schema.yaml").read_text("utf-8"))
        options |= {"name": "speed", "source": "folder", "root": Path(folder) / "pictures", "image_size": SIDE}
        spec, location = dataset_from_mapping(options | {"near_distance": None})
        manifest = prepare(spec, location, Path(folder) / "cache", 2, None)
        begin = time.perf_counter()
        array = pixels(manifest, SIDE, "squish", Path(folder) / "cache", 2, None).array
        built = time.perf_counter() - begin
        order = np.random.default_rng(1).permutation(number)
        batches = [np.sort(order[start : start + BATCH]) for start in range(0, number, BATCH)]
        paths = [manifest.root / path for path in manifest.table["path"]]
        begin = time.perf_counter()
        with quiet_decoding():
            for rows in batches:
                np.stack([square(decode(paths[row].read_bytes()).image, SIDE, "squish") for row in rows])
        decoding = time.perf_counter() - begin
        begin = time.perf_counter()
        for _ in range(10):
            for rows in batches:
                np.ascontiguousarray(array[rows])
        cached = (time.perf_counter() - begin) / 10
    sys.stdout.write(
        f"{number} pictures: cache built in {built:.2f} s; decoded {number / decoding:.0f}/s, from the cache "
        f"{number / cached:.0f}/s = {decoding / cached:.0f} times (bound 20)\n"
    )


if __name__ == "__main__":
    main()
