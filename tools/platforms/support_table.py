"""Prints the table of platforms that the runtime was run on.

    python tools/platforms/support_table.py RECORD

RECORD is what `tests/interop/test_python_versions.py` and `arm_userlands.py` recorded, a JSON
object per line. The newest record of each environment wins; records of other environments stay.
Updates `bench/results/support.json` and prints the table.
"""

import json
import sys
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "bench" / "results"


def main() -> None:
    """Merge the records and print the table."""
    path = RESULTS / "support.json"
    records = json.loads(path.read_text("utf-8"))
    records += map(json.loads, Path(sys.argv[1]).read_text("utf-8").splitlines())
    newest = {environment_key(record): record for record in records}
    rows = [newest[key] for key in sorted(newest)]
    path.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print(
        "| machine | Python | interpreter | numpy | texts | largest difference from x86's device |"
    )
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.get('system', 'Linux, ' + row['machine'])} | {row['python']} "
            f"| {row['interpreter'].partition(' (')[0]} | {row['numpy']} | {row['texts']} "
            f"| {row['difference']:.1e} of {row['tolerance']:g} allowed |"
        )


def environment_key(record: dict) -> tuple:
    """Return what distinguishes environments: machine, system, Python, interpreter, numpy."""
    interpreter = record["interpreter"].split()[0]
    numpy_major = int(record["numpy"].split(".")[0])
    python_minor = int(record["python"].split(".")[1])
    return record["machine"], record.get("system", ""), python_minor, interpreter, numpy_major


if __name__ == "__main__":
    main()
