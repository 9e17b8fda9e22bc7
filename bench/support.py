"""Tells where the runtime was run and what came of it, for the README.

    python bench/support.py NOTES

NOTES is what `tests/test_runtime_pythons.py` and `tests/userlands.py` noted, a JSON object a line.
Writes `results/support.json` and prints the table.
"""

import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Read the notes, of equal surroundings the last, and print the table."""
    notes = {}
    for line in Path(sys.argv[1]).read_text("utf-8").splitlines():
        note = json.loads(line)
        notes[note["machine"], note["python"], note["interpreter"], note["numpy"]] = note
    ordered = [
        notes[key] for key in sorted(notes, key=lambda key: (key[0], *_version(key[1]), key))
    ]
    (RESULTS / "support.json").write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
    print(
        "| machine | Python | interpreter | numpy | texts | largest difference from x86's device |"
    )
    print("|---|---|---|---|---|---|")
    for note in ordered:
        print(
            f"| {note.get('system', 'Linux')}, {note['machine']} | {note['python']} "
            f"| {note['interpreter']} | {note['numpy']} | {note['texts']} "
            f"| {note['difference']:.1e} of {note['tolerance']:g} allowed |"
        )


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")[:2]]


if __name__ == "__main__":
    main()
