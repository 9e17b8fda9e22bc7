"""Prints the demo's last screen: a bundle's size, its accuracy and five held-out texts.

    .venv-device/bin/python tools/docs/demo_screen.py RUN BUNDLE

The texts are drawn from the run's test text by the run's seed, so nobody chose them. Runs with
nothing but the runtime installed, as on a device.
"""

import json
import random
import sys
import textwrap
from pathlib import Path

from glovelite import Classifier

TEXTS, WIDTH = 5, 64


def draw_texts(run: Path, count: int) -> list[dict[str, str]]:
    """Draw held-out texts with their labels."""
    lines = (run / "test.jsonl").read_text("utf-8").splitlines()
    seed = json.loads((run / "metrics.json").read_text("utf-8"))["configuration"]["seed"]
    return [json.loads(line) for line in random.Random(seed).sample(lines, count)]


def main(run: Path, bundle: Path) -> None:
    """Print the screen."""
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    test = manifest["accuracy"]["test"]
    size = sum(file.stat().st_size for file in bundle.iterdir() if file.suffix != ".md")
    print(f"{size:,} bytes on the device, {manifest['interpreter']}")
    print(
        f"{test['device']:.1%} of {test['texts']:,} held-out texts correct on its interpreter, "
        f"{test['keras']:.1%} before the export"
    )
    print(f"\n{TEXTS} held-out texts (? where the classifier abstains):\n")
    rows = draw_texts(run, TEXTS)
    predictions = Classifier.load(bundle).predict([row["text"] for row in rows])
    print(f"{'is':9}{'predicted':17}text")
    for row, prediction in zip(rows, predictions):
        label = "?" if prediction.abstained else prediction.label
        text = textwrap.shorten(row["text"], WIDTH, placeholder=" …")
        print(f"{row['label']:9}{label:9}{prediction.probability:6.1%}  {text}")
    print(f"\nTraining curves: {run / 'curves.png'}. Try next:\n")
    print(f'  .venv-device/bin/glovelite-run {bundle} --explain "A moving, funny film."')
    print("  make train DATA=my.csv OUT=runs/mine && make convert RUN=runs/mine")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
