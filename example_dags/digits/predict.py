"""Name the digits on held-out images; runs on AIHub, see digits_end_to_end.py.

It reads images ``<images>/<label>/<image_id>.pgm`` and the model that train.py wrote. It writes the predictions as
JSON Lines, and the share of right ones.
"""

# ruff: noqa: T201 - what a job prints is its log
from __future__ import annotations

import argparse
import json
import pickle
from pathlib import Path

import numpy as np
from train import read_image


def main() -> None:
    """Predict all images of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of images, one folder per label")
    parser.add_argument("--model", type=Path, required=True, help="model that train.py wrote")
    parser.add_argument("--predictions", type=Path, required=True, help="JSON Lines file to write")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args()

    files = sorted(options.images.glob("*/*.pgm"))
    if not files:
        raise SystemExit(f"There are no images in {options.images}.")
    # The model is this DAG run's own, out of a folder that only its jobs write to.
    model = pickle.loads(options.model.read_bytes())  # noqa: S301
    predicted = model.predict(np.stack([read_image(file) for file in files]))

    rows = [
        {"image": str(file.relative_to(options.images)), "label": int(file.parent.name), "prediction": int(digit)}
        for file, digit in zip(files, predicted, strict=True)
    ]
    right = sum(row["label"] == row["prediction"] for row in rows)
    options.predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options.metrics.write_text(json.dumps({"images": len(rows), "right": right, "accuracy": right / len(rows)}))
    print(f"{right} of {len(rows)} images named right: accuracy {right / len(rows):.4f}", flush=True)


if __name__ == "__main__":
    main()
