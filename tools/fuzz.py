"""Damages bundles in thousands of ways and loads each in a child process that must not crash.

    python -m tools.fuzz BUNDLE OTHER… [--count 6000] [--first 0] [--forged 500] [--keep FOLDER]

Each damaged bundle must be rejected with a glovelite exception or predict exactly as the intact
one; with hashes rewritten to match, predictions may differ. Anything else (another exception, a
crash, more than 2 s of CPU time or 256 MB more memory) is a failure, printed with the number that
repeats it: `--first NUMBER --count 1 --keep FOLDER`. The counts are printed as Markdown tables.
Forged models, whose hash was rewritten, are counted separately, on the interpreter that is used by
default and on the numpy engine. TFLite's interpreters promise nothing for them; the numpy engine
promises the same as for damaged bundles.
"""

import argparse
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from tools.damages import FOLDER, draw, forge_model

ROOT = Path(__file__).parent.parent
PATHS = (str(ROOT / "src"), str(ROOT))
MAX_SECONDS, MAX_BYTES, TIMEOUT = 2, 256 << 20, 120
MAX_MESSAGE = 600  # characters
TEXTS = (
    "",
    "a large bird that eats fish",
    "a lagre brid taht eatts fihs",
    "İt’s 'a\0tree' \ud800 " * 400,
)
SAFE_ENGINE = "numpy"
ENGINES = ("", SAFE_ENGINE)  # the default, and the one that withstands forged models
REJECTED, CAUGHT, UNCHANGED, CHANGED = (
    "rejected",
    "caught by the self-test",
    "same predictions",
    "other predictions",
)


class LoaderProcess:
    """A process that loads bundles; after a crash the next bundle gets a new process."""

    def __init__(self, engine="", command=("tools.fuzz", "--child")):
        self._process, self._engine, self._command = None, engine, command

    def load(self, path):
        """Load a bundle in the process; return the result, or `{"died": reason}`."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **self._choice(), "PYTHONPATH": os.pathsep.join(PATHS)},
                text=True,
            )
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], TIMEOUT)[0]:
            self.close()
            return {"died": f"did not answer for {TIMEOUT} s"}
        answer = self._process.stdout.readline()
        if answer:
            return json.loads(answer)
        status = self._process.wait()
        self._process = None
        if status < 0:
            return {"died": f"was killed by {signal.Signals(-status).name}"}
        return {"died": f"exited with status {status}"}

    def _choice(self):
        return {"GLOVELITE_INTERPRETER": self._engine} if self._engine else {}

    def close(self):
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def run_loader():
    """Load the bundles that standard input names."""
    from glovelite.runtime.interpreter import interpreter_version

    interpreter = interpreter_version()
    measure_loads(lambda path: {**_load(path), "interpreter": interpreter}, 3 * MAX_BYTES)


def measure_loads(load, more_bytes):
    """Load what standard input names with limited memory; print the results and what they took."""
    paths = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a bundle may link to /dev/stdin
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    current = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (current + more_bytes, -1))
    for path in paths:
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        start = time.process_time()
        found = load(path.rstrip("\n"))
        found["seconds"] = time.process_time() - start
        found["bytes"] = _memory("VmHWM") - before
        print(json.dumps(found), file=answers, flush=True)


def _load(path):
    from glovelite import Classifier, GloveliteError

    try:
        with Classifier.load(path) as classifier:
            scores = classifier.predict_proba(TEXTS)
            found = {"scores": scores.tobytes().hex(), "shape": scores.shape}
            try:
                classifier.self_test()
            except GloveliteError as error:
                found["message"] = str(error)
            return found
    except GloveliteError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:
        return {"broke": f"{type(error).__name__}: {error}"[:300]}


def _memory(name):
    status = Path("/proc/self/status").read_text()
    return int(status.split(name + ":")[1].split()[0]) << 10


def write_bundle(source, folder, changed):
    """Write a damaged bundle: hard links to the intact files, and the changed ones."""
    if FOLDER in changed:
        changed[FOLDER](folder)
        return
    folder.mkdir()
    for name in {*changed, *(path.name for path in source.iterdir())}:
        content = changed.get(name)
        if content is None:
            os.link(source / name, folder / name)
        elif isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            content(folder / name)


def remove(folder):
    """Remove what `write_bundle` made."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    elif os.path.lexists(folder):
        folder.unlink()


def classify_result(found, intact, forged):
    """Classify the result of a damaged bundle; return the outcome and what is wrong, or None."""
    message = found.get("message", "")
    if "died" in found or "broke" in found:
        return "failed", found.get("died") or found["broke"]
    outcome = REJECTED if "error" in found else CAUGHT if message else UNCHANGED
    if outcome != REJECTED and found["scores"] != intact["scores"]:
        outcome = CAUGHT if message else CHANGED
        if not forged:
            return outcome, "predicts differently from the intact bundle"
    if found["seconds"] > MAX_SECONDS or found["bytes"] > MAX_BYTES:
        return outcome, f"took {found['seconds']:.1f} s and {found['bytes'] >> 20} MB"
    if len(message) > MAX_MESSAGE:
        return outcome, f"has a message of {len(message)} characters: {message[:100]!r}"
    if not message.isprintable():
        return outcome, f"has a message that does not print: {message!r}"
    return outcome, None


class Fuzz:
    """Intact bundles, a folder for damaged ones, and a process that loads them."""

    def __init__(self, bundles, scratch, engine=""):
        scratch.mkdir(exist_ok=True)
        self.is_safe = engine == SAFE_ENGINE
        self.sources = []
        for number, bundle in enumerate(bundles):  # copied, so that files can be linked
            self.sources.append(Path(shutil.copytree(bundle, scratch / f"intact-{number}")))
        self.files = [
            {path.name: path.read_bytes() for path in sorted(source.iterdir())}
            for source in self.sources
        ]
        self.folder, self.process = scratch / "damaged", LoaderProcess(engine)
        self.intact = [self.process.load(source) for source in self.sources]
        for found in self.intact:
            if "message" in found or "scores" not in found:
                sys.exit(f"a bundle is already damaged: {found}")

    def run(self, number):
        """Try one damage; return it, the result, the outcome and what is wrong."""
        chosen, damage = draw(number, self.files)
        return damage, *self._try(chosen, damage)

    def forge(self, number):
        """Try a forged model; return the same."""
        chosen = number % len(self.files)
        return self._try(chosen, forge_model(number, self.files[chosen]))

    def _try(self, chosen, damage):
        write_bundle(self.sources[chosen], self.folder, damage.changed)
        try:
            found = self.process.load(self.folder)
        finally:
            remove(self.folder)
        return found, *classify_result(found, self.intact[chosen], damage.forged)


def main(options):
    """Try all damages and forged models and print the tables, or the failures."""
    forged, failures = {}, 0
    with tempfile.TemporaryDirectory() as scratch:
        fuzz = Fuzz(options.bundles, Path(scratch, "damaged"))
        rows, failures = try_damages(fuzz, options)
        for engine in ENGINES:
            fuzz = Fuzz(options.bundles, Path(scratch, f"forged-{engine}"), engine)
            counts, failed = try_forged(fuzz, options.forged)
            forged[fuzz.intact[0]["interpreter"]] = counts
            failures += failed
    if failures:
        sys.exit(f"{failures} bundles failed")
    print_tables(rows, forged)


def try_damages(fuzz, options):
    """Try damages; return kind -> outcomes and results, and the number of failures."""
    rows, failures = defaultdict(list), 0
    for number in range(options.first, options.first + options.count):
        damage, found, outcome, wrong = fuzz.run(number)
        rows[damage.kind].append((outcome, found))
        if wrong:
            failures += 1
            print(f"{number}: {damage.kind}: {damage.detail:.200}: {wrong}", file=sys.stderr)
        if options.keep:
            chosen, damage = draw(number, fuzz.files)
            write_bundle(fuzz.sources[chosen], Path(options.keep), damage.changed)
    fuzz.process.close()
    return rows, failures


def try_forged(fuzz, count):
    """Try forged models; return how often each outcome occurred, and the number of failures."""
    outcomes, failures = Counter(), 0
    for number in range(count):
        found, outcome, wrong = fuzz.forge(number)
        outcomes[_describe_forged(found, outcome)] += 1
        if wrong and fuzz.is_safe:
            failures += 1
            print(f"forged model {number}: {wrong}", file=sys.stderr)
    fuzz.process.close()
    return outcomes, failures


def _describe_forged(found, outcome):
    if "broke" in found:
        return f"raised {found['broke']:.60}"
    return {"failed": f"the process {found.get('died')}"}.get(outcome, outcome)


def print_tables(rows, forged):
    """Print the counts as Markdown."""
    print(f"| damage | tried | {REJECTED} | {CAUGHT} | {UNCHANGED} | {CHANGED} | max ms | max MB |")
    print("|---|---|---|---|---|---|---|---|")
    all_tried = [trial for tried in rows.values() for trial in tried]
    for kind, tried in [*rows.items(), ("total", all_tried)]:
        counts = Counter(outcome for outcome, _ in tried)
        numbers = [
            len(tried),
            *(counts[outcome] for outcome in (REJECTED, CAUGHT, UNCHANGED, CHANGED)),
        ]
        numbers.append(round(max(found["seconds"] for _, found in tried) * 1000))
        numbers.append(max(found["bytes"] for _, found in tried) >> 20)
        print(f"| {kind} | {' | '.join(f'{number:,}' for number in numbers)} |")
    tried = sum(next(iter(forged.values())).values())
    if not tried:
        return
    print(f"\n| {tried} forged models on | {' | '.join(forged)} |")
    print(f"|---|{'---|' * len(forged)}")
    total = sum(forged.values(), Counter())
    for outcome, _ in total.most_common():
        print(f"| {outcome} | {' | '.join(str(counts[outcome]) for counts in forged.values())} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        sys.exit(run_loader())
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--forged", type=int, default=500)
    parser.add_argument("--keep", help="keep the damaged bundle here (with --count 1)")
    main(parser.parse_args())
