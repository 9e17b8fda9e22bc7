"""Predicts a million times in two threads with reloads, and fails if memory grows.

    PYTHON tools/soak.py BUNDLE [PREDICTIONS]

Needs only the runtime. Texts are of every length, including empty and truncated ones. Exits with 1
if private memory grew by more than 2 MB after the first twentieth, or if a prediction changed.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from glovelite import Classifier

MAX_GROWTH = 2 << 20
ROUNDS = 10  # given to the threads at once, so that few results wait to be compared


def private_bytes():
    """Return the private memory of this process in bytes."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def make_texts(vocabulary):
    """Return texts of every length, with known and unknown words."""
    words = [*vocabulary.tokens[2:40], "zyxwv", "été", "日本"]
    limit = vocabulary.max_tokens
    step = max(1, limit // 20)
    lengths = [*range(1, 40), *range(40, limit, step), limit, limit + 1, 3 * limit]
    return ["", *(" ".join(words[index % len(words)] for index in range(n)) for n in lengths)]


def main():
    """Predict, and print memory after every twentieth."""
    path, total = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    classifier = Classifier.load(path)
    texts = make_texts(classifier.bundle.vocabulary)
    expected = classifier.predict(texts)
    done = first = wrong = 0
    with ThreadPoolExecutor(2) as pool:
        while done < total:
            until = done + total // 20
            while done < until:
                answers = pool.map(classifier.predict, [texts] * ROUNDS)
                wrong += sum(answer != expected for answer in answers)
                done += ROUNDS * len(texts)
            classifier.reload()
            now = private_bytes()
            first = first or now
            print(f"{done:>9,} predictions, {now / 1e6:.1f} MB private", flush=True)
    grown = now - first
    print(
        f"memory grew by {grown:,} bytes, {MAX_GROWTH:,} allowed; "
        f"{wrong} rounds with wrong predictions"
    )
    sys.exit(grown > MAX_GROWTH or wrong > 0)


if __name__ == "__main__":
    main()
