"""Train a classifier of handwritten digits; runs on AIHub, see digits_end_to_end.py.

It reads images ``<images>/<label>/<image_id>.pgm`` (8x8 pixels, 16 greys) and writes the model.
"""

# ruff: noqa: T201 - what a job prints is its log
from __future__ import annotations

import argparse
import pickle
import time
from pathlib import Path

import numpy as np
from sklearn.svm import SVC


def read_image(file: Path) -> np.ndarray:
    """Return the 64 greys of a binary PGM file, as parts of white."""
    return np.frombuffer(file.read_bytes()[-64:], dtype=np.uint8) / 16


def main() -> None:
    """Train on all images of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of images, one folder per label")
    parser.add_argument("--model", type=Path, required=True, help="file to write")
    options = parser.parse_args()

    files = sorted(options.images.glob("*/*.pgm"))
    if not files:
        raise SystemExit(f"There are no images in {options.images}.")
    print(f"training on {len(files)} images", flush=True)
    started = time.monotonic()
    model = SVC(gamma="scale").fit(
        np.stack([read_image(file) for file in files]),
        [int(file.parent.name) for file in files],
    )
    options.model.write_bytes(pickle.dumps(model))
    print(f"trained in {time.monotonic() - started:.2f} s, wrote {options.model}", flush=True)


if __name__ == "__main__":
    main()
