"""The warehouse table ``digits``: scikit-learn's 1,797 handwritten digits as a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

from sklearn.datasets import load_digits

HELD_OUT_EVERY = 5


def write_digits_table(folder: Path) -> Path:
    """Write ``digits.csv`` with the columns ``image_id, label, split, pixels`` and return its path.

    Every fifth image is of the split ``test``, the others are of ``train``. ``pixels`` are the 64 greys (0 to 16) of
    an image, row by row, parted by blanks.
    """
    digits = load_digits()
    table = folder / "digits.csv"
    folder.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image_id", "label", "split", "pixels"])
        for image_id, (pixels, label) in enumerate(zip(digits.data.astype(int), digits.target, strict=True)):
            split = "train" if image_id % HELD_OUT_EVERY else "test"
            rows.writerow([image_id, label, split, " ".join(map(str, pixels))])
    return table
