"""Predicts a million times over two threads, reloading now and then: does memory grow?

    PYTHON tests/soak.py BUNDLE [PREDICTIONS]

Runs where only the runtime is. Texts are of every length, among them empty ones and ones that are
cut. Exits with 1 where private memory grew by more than 2 MB after the first twentieth, or where an
answer was another than the first time.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runtime import Classifier

ALLOWED = 2 << 20
ROUNDS = 10  # handed to the threads at once, so that few answers wait to be looked at


def private_bytes():
    """Give the memory that is this process's alone, bytes."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def make_texts(vocabulary):
    """Make texts of every length, of known words and of unknown ones."""
    words = [*vocabulary.tokens[2:40], "zyxwv", "été", "日本"]
    most = vocabulary.max_tokens
    lengths = [*range(1, 40), *range(40, most, max(1, most // 20)), most, most + 1, 3 * most]
    return ["", *(" ".join(words[place % len(words)] for place in range(n)) for n in lengths)]


def main():
    """Predict, and tell memory at every twentieth."""
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
    print(f"grown by {grown:,} bytes, {ALLOWED:,} allowed; {wrong} rounds answered otherwise")
    sys.exit(grown > ALLOWED or wrong > 0)


if __name__ == "__main__":
    main()
