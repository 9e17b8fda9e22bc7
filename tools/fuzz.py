"""Damages bundles in thousands of ways and loads each in a child process that must not die.

    python tests/fuzz.py BUNDLE OTHER [--count 6000] [--first 0] [--forged 500] [--keep FOLDER]

Each damaged bundle must be refused with one of our exceptions, or answer exactly as the sound one
does; with hashes rewritten to match, it may answer otherwise. Anything else (another exception, a
dead child, more than 2 s of processor time or 256 MB more memory) is a failure, printed with the
number that draws the same damage again: `--first NUMBER --count 1 --keep FOLDER`. Then the counts
are written as Markdown tables. Models forged with their hash are counted apart: nothing is
promised of them.
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

from damages import FILES, FOLDER, KINDS, draw, forge_model

ROOT = Path(__file__).parent.parent
MOST_SECONDS, MOST_BYTES, PATIENCE = 2, 256 << 20, 120
TEXTS = ("", "a large bird that eats fish", "İt’s 'a\0tree' \ud800 " * 400)
REFUSED, TOLD, SAME, OTHER = (
    "refused",
    "told by the self-test",
    "answers as before",
    "answers otherwise",
)


class Child:
    """A process that loads bundles until it dies of one; the next is given a new process."""

    def __init__(self):
        self._process = None

    def ask(self, path):
        """Load a bundle there; give what came of it, `{"died": how}` at the least."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "--child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                text=True,
            )
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            self.close()
            return {"died": f"was silent for {PATIENCE} s"}
        answer = self._process.stdout.readline()
        if answer:
            return json.loads(answer)
        status = self._process.wait()
        self._process = None
        manner = signal.Signals(-status).name if status < 0 else f"status {status}"
        return {"died": f"died of {manner}"}

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def be_child():
    """Load the bundles that standard input names; memory is limited once the libraries are in."""
    from runtime.interpreter import interpreter_version

    interpreter = interpreter_version()
    paths = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a bundle may link to /dev/stdin
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 3 * MOST_BYTES, -1))
    for path in paths:
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        begun = time.process_time()
        found = _load(path.rstrip("\n"))
        found["seconds"] = time.process_time() - begun
        found["bytes"] = _memory("VmHWM") - before
        found["interpreter"] = interpreter
        print(json.dumps(found), file=answers, flush=True)


def _load(path):
    from runtime import Classifier, GloveliteError

    try:
        with Classifier.load(path) as classifier:
            scores = classifier.predict_proba(TEXTS)
            found = {"scores": scores.tobytes().hex(), "shape": scores.shape}
            try:
                classifier.self_test()
            except GloveliteError as error:
                found["told"] = str(error)
            return found
    except GloveliteError as error:
        return {"error": type(error).__name__, "told": str(error)}
    except BaseException as error:
        return {"broke": f"{type(error).__name__}: {error}"[:300]}


def _memory(name):
    status = Path("/proc/self/status").read_text()
    return int(status.split(name + ":")[1].split()[0]) << 10


def place(source, folder, changed):
    """Put a damaged bundle into a folder: links to the sound files, the others written."""
    if FOLDER in changed:
        changed[FOLDER](folder)
        return
    folder.mkdir()
    for name in FILES:
        content = changed.get(name)
        if content is None:
            os.link(source / name, folder / name)
        elif isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            content(folder / name)


def remove(folder):
    """Remove what `place` made."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    elif os.path.lexists(folder):
        folder.unlink()


def judge(found, sound, forged):
    """Give what came of a damaged bundle, and what is wrong with that, or None."""
    told = found.get("told", "")
    if "died" in found or "broke" in found:
        return "failed", found.get("died") or found["broke"]
    outcome = REFUSED if "error" in found else TOLD if told else SAME
    if outcome != REFUSED and found["scores"] != sound["scores"]:
        outcome = TOLD if told else OTHER
        if not forged:
            return outcome, "answers otherwise than the sound bundle"
    if found["seconds"] > MOST_SECONDS or found["bytes"] > MOST_BYTES:
        return outcome, f"took {found['seconds']:.1f} s and {found['bytes'] >> 20} MB"
    if not told.isprintable() or len(told) > 600:
        return outcome, f"is told of in {len(told)} characters: {told[:100]!r}"
    return outcome, None


class Fuzz:
    """Two sound bundles, a place for damaged ones and a child to load them."""

    def __init__(self, bundles, scratch):
        self.sources = []
        for number, bundle in enumerate(bundles):  # copied, so that files can be linked
            self.sources.append(Path(shutil.copytree(bundle, scratch / f"sound-{number}")))
        self.files = [{n: (s / n).read_bytes() for n in FILES} for s in self.sources]
        self.folder, self.child = scratch / "damaged", Child()
        self.sound = [self.child.ask(source) for source in self.sources]
        for found in self.sound:
            if "told" in found or "scores" not in found:
                sys.exit(f"a bundle is not sound: {found}")

    def run(self, number):
        """Try one damage; give it, what came of it and what is wrong with that."""
        chosen = number // len(KINDS) % 2
        damage = draw(number, self.files[chosen], self.files[1 - chosen])
        return damage, *self._try(chosen, damage)

    def forge(self, number):
        """Try a forged model; the same."""
        return self._try(number % 2, forge_model(number, self.files[number % 2]))

    def _try(self, chosen, damage):
        place(self.sources[chosen], self.folder, damage.changed)
        try:
            found = self.child.ask(self.folder)
        finally:
            remove(self.folder)
        return found, *judge(found, self.sound[chosen], damage.forged)


def main(options):
    """Try them all and write the tables, or what failed."""
    rows, failures = defaultdict(list), 0
    with tempfile.TemporaryDirectory() as scratch:
        fuzz = Fuzz(options.bundles, Path(scratch))
        for number in range(options.first, options.first + options.count):
            damage, found, outcome, wrong = fuzz.run(number)
            rows[damage.kind].append((outcome, found))
            if wrong:
                failures += 1
                print(f"{number}: {damage.kind}: {damage.detail:.200}: {wrong}", file=sys.stderr)
            if options.keep:
                place(fuzz.sources[number // len(KINDS) % 2], Path(options.keep), damage.changed)
        forged = Counter(_manner(*fuzz.forge(n)) for n in range(options.forged))
        fuzz.child.close()
    if failures:
        sys.exit(f"{failures} of {options.count} damaged bundles were not as they should be")
    write(rows, forged, fuzz.sound[0]["interpreter"])


def _manner(found, outcome, _):
    if "broke" in found:
        return f"raised {found['broke']:.60}"
    return {"failed": f"the process {found.get('died')}"}.get(outcome, outcome)


def write(rows, forged, interpreter):
    """Write the counts as Markdown."""
    print(f"| damage | tried | {REFUSED} | {TOLD} | {SAME} | {OTHER} | longest, ms | most MB |")
    print("|---|---|---|---|---|---|---|---|")
    everything = [each for tried in rows.values() for each in tried]
    for kind, tried in [*rows.items(), ("together", everything)]:
        counts = Counter(outcome for outcome, _ in tried)
        numbers = [len(tried), *(counts[each] for each in (REFUSED, TOLD, SAME, OTHER))]
        numbers.append(round(max(found["seconds"] for _, found in tried) * 1000))
        numbers.append(max(found["bytes"] for _, found in tried) >> 20)
        print(f"| {kind} | {' | '.join(f'{each:,}' for each in numbers)} |")
    if forged:
        print(f"\n| a forged model on {interpreter} | of {sum(forged.values())} |")
        print("|---|---|")
        for manner, count in forged.most_common():
            print(f"| {manner} | {count} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        sys.exit(be_child())
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundles", nargs=2, type=Path)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--forged", type=int, default=500)
    parser.add_argument("--keep", help="leave the damaged bundle here (with --count 1)")
    main(parser.parse_args())
