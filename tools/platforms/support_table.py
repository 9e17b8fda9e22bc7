"""Tells where the runtime was run and what came of it, for the README.

    python bench/support.py NOTES

NOTES is what `tests/test_runtime_pythons.py` and `tests/userlands.py` noted, a JSON object a line.
Of equal surroundings the last counts; what an earlier run found elsewhere stays. Writes
`results/support.json` and prints the table.
"""

import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Read the notes and print the table."""
    kept = RESULTS / "support.json"
    found = json.loads(kept.read_text("utf-8"))
    found += map(json.loads, Path(sys.argv[1]).read_text("utf-8").splitlines())
    notes = {surroundings(each): each for each in found}
    ordered = [notes[key] for key in sorted(notes)]
    kept.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
    print(
        "| machine | Python | interpreter | numpy | texts | largest difference from x86's device |"
    )
    print("|---|---|---|---|---|---|")
    for note in ordered:
        print(
            f"| {note.get('system', 'Linux, ' + note['machine'])} | {note['python']} "
            f"| {note['interpreter']} | {note['numpy']} | {note['texts']} "
            f"| {note['difference']:.1e} of {note['tolerance']:g} allowed |"
        )


def surroundings(note: dict) -> tuple:
    """Tell surroundings apart: system, Python 3's minor version, interpreter, major numpy."""
    interpreter, numpy = note["interpreter"].split()[0], int(note["numpy"].split(".")[0])
    minor = int(note["python"].split(".")[1])
    return note["machine"], note.get("system", ""), minor, interpreter, numpy


if __name__ == "__main__":
    main()
