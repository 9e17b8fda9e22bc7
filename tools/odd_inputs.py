"""Tries what people bring to their first hour: small, odd, foreign and wrong input.

    python tools/odd_inputs.py [NAME]…

Each session is one or more commands on files made for it, with a small slice of GloVe. A session
must do what is expected of it: work, or be refused in one line with exit status 1 or 2. A
traceback, several lines of errors, or an answer that is relied on although the dev set does not
support it fails. Prints a Markdown table; exit status 1 if a session failed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
SLICE = DATA / "glove.6B.100d.slice.txt.gz"
QUICK = ("--filters", "4", "--epochs", "2")
MAX_SHOWN = 150  # characters of a message in the table
WORKS, REFUSED = "works", "refused"


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        status: its exit status.
        output: standard output.
        errors: standard error, without empty lines and progress bars.
    """

    status: int
    output: str
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Session:
    """One thing that a user might try.

    Attributes:
        name: what it is, in the table.
        expected: `WORKS` or `REFUSED`.
        run: carries it out in an empty folder; returns what the last command did.
        says: what the last command must say, in its output or its errors.
        status: the exit status of a refusal: 1, or 2 for wrong usage, to which click adds lines.
    """

    name: str
    expected: str
    run: Callable[[Path], Outcome]
    says: str = ""
    status: int = 1


def command(module: str, *arguments: object, stdin: bytes = b"", folder: Path) -> Outcome:
    """Run one of the three commands in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", f"glovelite.{module}", *map(str, arguments)],
        cwd=folder,
        input=stdin,
        capture_output=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        },
    )
    errors = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return Outcome(
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        tuple(line for line in errors if "\r" not in line and "%|" not in line),
    )


def train(folder: Path, source: object, *options: object, glove: object = SLICE) -> Outcome:
    """Train a small model on a file in the folder."""
    chosen = (*QUICK, *options)
    return command("train", source, "--glove", glove, "--out", "run", *chosen, folder=folder)


def export(folder: Path) -> Outcome:
    """Export the run in the folder; most are too small to pass the gate."""
    return command("convert", "export", "run", "--out", "bundle", "--no-gate", folder=folder)


def classify(folder: Path, *arguments: object, stdin: bytes = b"") -> Outcome:
    """Classify with the bundle in the folder."""
    return command("runtime", *arguments, stdin=stdin, folder=folder)


def read_glosses(count: int) -> list[tuple[str, str]]:
    """Return texts and labels of the first WordNet glosses."""
    with (DATA / "glosses.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)][:count]


def write_csv(
    path: Path,
    rows: Iterable[Sequence[object]],
    header: Sequence[str] = ("text", "label"),
    delimiter: str = ",",
    encoding: str = "utf-8",
    before: str = "",
) -> Path:
    """Write a table; return its path."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    path.write_bytes((before + text.getvalue()).encode(encoding))
    return path


def train_on(folder: Path, content: bytes, name: str = "data.csv", *options: object) -> Outcome:
    """Train on a file of this content."""
    (folder / name).write_bytes(content)
    return train(folder, name, *options)


def train_on_rows(
    folder: Path, rows: Iterable[Sequence[object]], *options: object, **table: Any
) -> Outcome:
    """Train on a CSV file of these rows."""
    return train(folder, write_csv(folder / "data.csv", rows, **table), *options)


def animals_and_people(count: int) -> list[tuple[str, str]]:
    """Return texts of two labels."""
    return [row for row in read_glosses(2_000) if row[1] in ("animal", "person")][:count]


def with_bundle(folder: Path, *arguments: object, rows: int = 900, stdin: bytes = b"") -> Outcome:
    """Train, export and classify; return what the last command that ran did."""
    done = train_on_rows(folder, read_glosses(rows))
    if done.status == 0:
        done = export(folder)
    if done.status == 0:
        done = classify(folder, *arguments, stdin=stdin)
    return done


def umlauts() -> list[tuple[str, str]]:
    """Return texts with umlauts."""
    return [(f"{text} für die Größe", label) for text, label in animals_and_people(200)]


def german() -> list[tuple[str, str]]:
    """Return German sentences: two frames with random nouns."""
    rng = random.Random(0)
    nouns = ("Hund", "Katze", "Vogel", "Lehrer", "Bäcker", "Arzt", "Garten", "Wald", "Brücke")
    frames = {
        "ort": "der {} steht neben der alten {}",
        "person": "mein {} spricht heute mit dem {}",
    }
    return [
        (frame.format(rng.choice(nouns), rng.choice(nouns)), label)
        for _ in range(100)
        for label, frame in frames.items()
    ]


def chinese() -> list[tuple[str, str]]:
    """Return Chinese sentences, which have no spaces."""
    rng = random.Random(0)
    characters = [chr(code) for code in range(0x4E00, 0x4E40)]
    return [("".join(rng.choices(characters, k=8)), str(n % 2)) for n in range(200)]


def segmented_with_vectors(folder: Path) -> Outcome:
    """Train on segmented Chinese with vectors of its words."""
    rows = [(" ".join(text), label) for text, label in chinese()]
    rng = random.Random(0)
    words = sorted({word for text, _ in rows for word in text.split()})
    lines = [f"{word} {' '.join(f'{rng.gauss(0, 1):.3f}' for _ in range(20))}" for word in words]
    vectors = folder / "zh.vec.gz"
    vectors.write_bytes(gzip.compress(f"{len(words)} 20\n{chr(10).join(lines)}\n".encode()))
    return train(folder, write_csv(folder / "data.csv", rows), glove=vectors)


def twice(folder: Path) -> Outcome:
    """Train twice to the same folder."""
    train_on_rows(folder, animals_and_people(100))
    return train_on_rows(folder, animals_and_people(100))


def damaged_bundle(folder: Path) -> Outcome:
    """Change a byte of a bundle's model."""
    with_bundle(folder, "bundle", "a bird")
    model = folder / "bundle/model.tflite"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    return classify(folder, "bundle", "a bird")


def parquet(folder: Path) -> Outcome:
    """Train on a Parquet file."""
    import polars

    rows = animals_and_people(200)
    polars.DataFrame(rows, schema=["text", "label"], orient="row").write_parquet(
        folder / "data.parquet"
    )
    return train(folder, "data.parquet")


def absurd_vectors(folder: Path) -> Outcome:
    """Train with vectors of values that no arithmetic survives."""
    words = sorted({word for text, _ in animals_and_people(200) for word in text.split()})
    lines = "".join(f"{word} {' '.join(['1e30'] * 20)}\n" for word in words)
    (folder / "absurd.txt").write_text(lines, "utf-8")
    return train(
        folder, write_csv(folder / "data.csv", animals_and_people(200)), glove="absurd.txt"
    )


def scored_file(folder: Path) -> Outcome:
    """Score a CSV file that has further columns."""
    rows = [(n, text) for n, (text, _) in enumerate(read_glosses(50))]
    write_csv(folder / "new.csv", rows, header=("id", "text"))
    return with_bundle(folder, "bundle", "--input", "new.csv", "--output", "scored.csv")


def evaluated_with_unknown_label(folder: Path) -> Outcome:
    """Evaluate on a label that training never saw."""
    with_bundle(folder, "bundle", "a bird")
    write_csv(folder / "new.csv", [("a bird", "animal"), ("a bird", "unheard of")])
    return command("convert", "evaluate", "bundle", "new.csv", folder=folder)


def json_lines(rows: Iterable[dict[str, object]]) -> bytes:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def html_rows() -> list[tuple[str, str]]:
    """Return texts in HTML."""
    return [(f"<p>{text} &amp; <b>more</b></p>", label) for text, label in animals_and_people(200)]


def two_columns() -> list[tuple[object, ...]]:
    """Return a subject, a body and a label."""
    return [(text[:20], text, label) for text, label in animals_and_people(200)]


def label_sets() -> list[tuple[str, str]]:
    """Return texts with any number of labels, separated by pipes."""
    sets = ("{}|long", "{}", "", "long")
    return [(t, sets[n % 4].format(label)) for n, (t, label) in enumerate(animals_and_people(400))]


def train_on_sets(folder: Path, *options: object) -> Outcome:
    """Train on texts with any number of labels."""
    return train_on_rows(folder, label_sets(), *options, header=("text", "labels"))


def train_on_flags(folder: Path, value: float, *options: object) -> Outcome:
    """Train on a table with a column for each of two labels, which holds 0 or a value."""
    rows = [
        (n, text, value * (label == "animal"), value * (label == "person" or n % 3 == 0))
        for n, (text, label) in enumerate(animals_and_people(200))
    ]
    return train_on_rows(folder, rows, *options, header=("id", "text", "animal", "person"))


def then(done: Outcome, *commands: Callable[[], Outcome]) -> Outcome:
    """Run commands one after the other until one fails; return what the last one did."""
    for each in commands:
        if done.status == 0:
            done = each()
    return done


PAIRS = animals_and_people(200)
SESSIONS = (
    # Small
    Session("12 texts", WORKS, lambda f: train_on_rows(f, PAIRS[:12]), "dev texts"),
    Session(
        "60 texts: nothing is relied on",
        WORKS,
        lambda f: with_bundle(f, "bundle", "--abstain", "a bird", rows=60),
        "?",
    ),
    Session(
        "one text of a label",
        REFUSED,
        lambda f: train_on_rows(f, [*PAIRS, ("a lone text", "rare")]),
        "--min-texts",
    ),
    Session(
        "the same with --min-texts 5",
        WORKS,
        lambda f: train_on_rows(f, [*PAIRS, ("a lone text", "rare")], "--min-texts", 5),
    ),
    Session("one label", REFUSED, lambda f: train_on_rows(f, [(t, "a") for t, _ in PAIRS])),
    Session(
        "the same text 200 times",
        REFUSED,
        lambda f: train_on_rows(f, [("same", label) for _, label in PAIRS]),
    ),
    Session(
        "texts of one word",
        WORKS,
        lambda f: train_on_rows(f, [(f"{t.split()[-1]}", label) for t, label in PAIRS]),
    ),
    Session("an empty file", REFUSED, lambda f: train_on(f, b"")),
    Session("a header and no rows", REFUSED, lambda f: train_on(f, b"text,label\n")),
    Session(
        "empty texts", REFUSED, lambda f: train_on_rows(f, [*PAIRS, ("", "animal")]), "line 202"
    ),
    # Odd
    Session(
        "Windows-1252", WORKS, lambda f: train_on_rows(f, umlauts(), encoding="cp1252"), "cp1252"
    ),
    Session("UTF-16 with a mark", WORKS, lambda f: train_on_rows(f, umlauts(), encoding="utf-16")),
    Session(
        "sep=; in the first line",
        WORKS,
        lambda f: train_on_rows(f, PAIRS, delimiter=";", before="sep=;\n"),
    ),
    Session("pipes in .csv", WORKS, lambda f: train_on_rows(f, PAIRS, delimiter="|")),
    Session("tabs in .csv", WORKS, lambda f: train_on_rows(f, PAIRS, delimiter="\t")),
    Session("Parquet", WORKS, parquet),
    Session(
        "a JSON array", REFUSED, lambda f: train_on(f, b'[{"text": "a"}]', "data.json"), "JSONL"
    ),
    Session(
        "JSON labels of several types",
        WORKS,
        lambda f: train_on(
            f,
            json_lines(
                {"text": text, "label": (1, "1", True)[n % 3] if label == "animal" else 0}
                for n, (text, label) in enumerate(PAIRS)
            ),
            "data.jsonl",
            "--min-texts",
            2,
        ),
    ),
    Session("no header", WORKS, lambda f: train_on_rows(f, PAIRS, header=())),
    Session(
        "two text columns",
        WORKS,
        lambda f: train_on_rows(
            f,
            two_columns(),
            "--text-column",
            "subject",
            "--text-column",
            "body",
            header=("subject", "body", "label"),
        ),
    ),
    Session(
        "HTML with --strip-html", WORKS, lambda f: train_on_rows(f, html_rows(), "--strip-html")
    ),
    Session(
        "a quote that is never closed",
        REFUSED,
        lambda f: train_on(f, b'text,label\n"open,animal\n' + b"x,person\n" * 50),
        "line 2",
    ),
    Session(
        "a truncated .gz",
        REFUSED,
        lambda f: train_on(
            f, gzip.compress(write_csv(f / "a.csv", PAIRS).read_bytes())[:-30], "data.csv.gz"
        ),
        "damaged",
    ),
    Session(
        "a text of a million words",
        WORKS,
        lambda f: train_on_rows(f, [*PAIRS, ("bird " * 1_000_000, "animal")]),
    ),
    Session(
        "labels that differ in case",
        WORKS,
        lambda f: train_on_rows(f, [*PAIRS, *((t, "Animal") for t, _ in read_glosses(60))]),
        "Animal",
    ),
    Session(
        "N/A as a label",
        WORKS,
        lambda f: train_on_rows(f, [*PAIRS, *((t + " n", "N/A") for t, _ in read_glosses(60))]),
        "N/A",
    ),
    Session(
        "a column of ids as labels",
        REFUSED,
        lambda f: train_on_rows(
            f, [(f"{t} {n}", f"id{n}") for n, (t, _) in enumerate(read_glosses(2_000) * 3)]
        ),
        "label column",
    ),
    Session(
        "numbers as labels",
        WORKS,
        lambda f: train_on_rows(f, [(t, 2 if label == "animal" else 10) for t, label in PAIRS]),
    ),
    Session(
        "a folder with a space and a $",
        WORKS,
        lambda f: train(f, write_csv(f / "my $data.csv", PAIRS)),
    ),
    # Several labels a text
    Session(
        "a column labels with pipes and empty cells", WORKS, lambda f: train_on_sets(f), "micro F1"
    ),
    Session(
        "exported and classified",
        WORKS,
        lambda f: then(train_on_sets(f), lambda: export(f), lambda: classify(f, "bundle", "x")),
    ),
    Session(
        "labels of numpy: ['a' 'b']",
        REFUSED,
        lambda f: train_on_rows(
            f, [(t, f"['{label}' 'x']") for t, label in PAIRS], header=("text", "labels")
        ),
        "expected a list of labels",
    ),
    Session(
        "a;b;c in a column label",
        WORKS,
        lambda f: train_on_rows(
            f, [(t, f"{'abc'[n % 3]};{'de'[n % 2]};{n % 7}") for n, (t, _) in enumerate(PAIRS)]
        ),
        "--label-separator",
    ),
    Session("0/1 columns", WORKS, lambda f: train_on_flags(f, 1, "--label-columns", "3-4")),
    Session(
        "0/1 columns, not named",
        REFUSED,
        lambda f: train_on_flags(f, 1),
        "--label-columns",
    ),
    Session(
        "a score of 0.7 in a 0/1 column",
        REFUSED,
        lambda f: train_on_flags(f, 0.7, "--label-columns", "animal,person"),
        "expected 0 or 1",
    ),
    Session(
        "a label of every text",
        REFUSED,
        lambda f: train_on_rows(
            f, [(t, f"{label}|all") for t, label in PAIRS], header=("text", "labels")
        ),
        "'all'",
    ),
    Session(
        "multi-label dev text of single-label text",
        REFUSED,
        lambda f: (
            write_csv(f / "dev.csv", label_sets(), header=("text", "labels")),
            train_on(f, json_lines({"text": t, "label": y} for t, y in PAIRS), "data.jsonl"),
            train_on_rows(f, PAIRS, "--dev", "dev.csv", "--overwrite"),
        )[-1],
        "multi-label",
    ),
    # Foreign
    Session("German, English vectors", REFUSED, lambda f: train_on_rows(f, german()), "--glove"),
    Session(
        "Chinese, English vectors", REFUSED, lambda f: train_on_rows(f, chinese()), "segmented"
    ),
    Session("segmented Chinese with its own .vec.gz", WORKS, segmented_with_vectors),
    Session(
        "emoji",
        REFUSED,
        lambda f: train_on_rows(f, [("🙂" * (n % 9 + 1), str(n % 2)) for n in range(200)]),
    ),
    Session(
        "a German text for an English bundle",
        WORKS,
        lambda f: with_bundle(f, "bundle", "--abstain", "der schnelle braune Fuchs springt"),
        "?",
    ),
    # Wrong
    Session("a file that does not exist", REFUSED, lambda f: train(f, "missing.csv")),
    Session("a run folder that exists", REFUSED, twice, "--overwrite"),
    Session("vectors of 1e30", REFUSED, absurd_vectors),
    Session(
        "vectors that are no text",
        REFUSED,
        lambda f: train(f, write_csv(f / "data.csv", PAIRS), glove=Path(sys.executable)),
    ),
    Session(
        "filters of -3",
        REFUSED,
        lambda f: train_on_rows(f, PAIRS, "--filters", -3),
        "--filters",
        status=2,
    ),
    Session(
        "a run folder for glovelite-run",
        REFUSED,
        lambda f: (train_on_rows(f, PAIRS), classify(f, "run", "a bird"))[1],
        "export",
    ),
    Session("a damaged bundle", REFUSED, damaged_bundle, "copy the bundle again"),
    Session(
        "CSV on standard input",
        WORKS,
        lambda f: with_bundle(f, "bundle", stdin=b"text,label\na bird,animal\n"),
        "--input",
    ),
    Session("a CSV file to score", WORKS, scored_file),
    Session(
        "evaluation with an unknown label", REFUSED, evaluated_with_unknown_label, "unheard of"
    ),
)


def judge(session: Session, outcome: Outcome) -> str:
    """Return what is wrong with an outcome; empty if nothing is."""
    everything = "\n".join((outcome.output, *outcome.errors))
    if "Traceback" in everything:
        return "traceback"
    if (outcome.status == 0) != (session.expected == WORKS):
        return f"expected that it {session.expected}"
    if outcome.status not in (0, session.status):
        return f"expected exit status {session.status}, found {outcome.status}"
    if outcome.status == 1 and len(outcome.errors) != 1:
        return f"expected one line, found {len(outcome.errors)}"
    if session.says not in everything:
        return f"does not say {session.says!r}"
    return ""


def message(outcome: Outcome, folder: Path) -> str:
    """Return the line that a user reads last, shortened."""
    lines = outcome.errors or tuple(outcome.output.strip().splitlines())
    shown = (lines or ("",))[-1].replace(str(folder) + "/", "").replace("|", "\\|")
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"


def main() -> int:
    """Run the sessions and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of the names of sessions; default: all")
    names = parser.parse_args().names
    chosen = [
        session for session in SESSIONS if not names or any(name in session.name for name in names)
    ]
    failed = 0
    print("| input | outcome | the last line |\n|---|---|---|")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each waits for its commands
        for session, (problem, said) in zip(chosen, pool.map(try_session, chosen)):
            failed += bool(problem)
            shown = f"**FAILED: {problem}**" if problem else session.expected
            print(f"| {session.name} | {shown} | {said} |", flush=True)
    return 1 if failed else 0


def try_session(session: Session) -> tuple[str, str]:
    """Run a session in a folder of its own; return what is wrong, and what the command said."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = session.run(Path(folder))
        return judge(session, outcome), message(outcome, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
