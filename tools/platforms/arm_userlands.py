"""Runs the runtime in Debian's ARM userlands under qemu, installed as a Pi's owner would.

    python tests/userlands.py [NAME ... | --all] [--bundle FOLDER] [--notes FILE] [--install]

In each: the newest wheel of dist/ is installed with pip, bundles made here replay their golden
texts and answer a hundred texts as on x86, and the runtime's tests run. Userlands are made once, in
.userlands/ (debian.py).
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from debian import (
    CACHE,
    Userland,
    copy_into,
    inside,
    is_registered,
    made,
    make,
    registered,
    registration,
    step,
)
from helpers import GLOSSES, ROOT, SLICE, convert, run, train, write_two_classes
from proof import command_tests, count_passed, list_tests, note, prove, score

# qemu runs a process's threads itself: a fork amid their work hangs, as it does on no processor.
EMULATED = ("--hypothesis-profile", "emulated", "-k", "not test_a_fork_answers")
NEEDS = ("debootstrap", "qemu-user-static", "debian-archive-keyring")
TESTS = tuple(f"tests/{name}" for name in ("conftest.py", "damages.py", "proof.py", "soak.py"))
DATA = ("tests/data/glosses.csv", "constraints.txt")


# No registry has numpy for armv7l in reach of plain pip, so that Debian's own serves there.
USERLANDS = (
    Userland("bookworm", "arm64", "aarch64", "qemu-aarch64"),
    Userland("bookworm", "armhf", "armv7l", "qemu-arm", debian_numpy=True),
    Userland("trixie", "arm64", "aarch64", "qemu-aarch64"),
    Userland("testing", "amd64", "x86_64", "qemu-x86_64"),
)


def main():
    """Check the userlands that were asked for, and exit with 0 where all hold."""
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [each for each in USERLANDS if each.name in options.names]
    if options.install:
        run("apt-get", "install", "--yes", "--no-install-recommends", *NEEDS)
    reason = why_not(chosen)
    if reason:
        sys.exit(print(f"skipped: {reason}"))
    failed = []
    with contextlib.ExitStack() as stack:
        for emulator in {each.emulator for each in chosen if not each.is_native}:
            stack.enter_context(registered(emulator))
        bundles = make_bundles(options.bundle)
        for userland in chosen:
            try:
                check(userland, bundles, options.notes)
            except pytest.fail.Exception as error:
                failed.append(userland.name)
                print(f"{userland.name}: FAILED\n{error}", flush=True)
    print(f"{len(chosen) - len(failed)} of {len(chosen)} userlands hold", *failed)
    sys.exit(bool(failed))


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [each.name for each in USERLANDS]
    arm = [each.name for each in USERLANDS if each.architecture.startswith("arm")]
    parser.add_argument("names", nargs="*", default=arm, metavar="NAME", help=", ".join(names))
    parser.add_argument("--all", action="store_const", const=names, dest="names", help="every one")
    parser.add_argument("--bundle", type=Path, help="a bundle to check besides those made here")
    parser.add_argument("--notes", type=Path, help="the file to note what was found in")
    parser.add_argument("--install", action="store_true", help="apt-get install what is missing")
    options = parser.parse_args()
    if not set(options.names) <= set(names):
        parser.error(f"NAME is one of {', '.join(names)}")
    return options


def why_not(userlands):
    """Say why the userlands cannot be run here, or nothing where they can."""
    if os.geteuid() != 0:
        return "debootstrap and chroot need root (sudo make test-arm)"
    missing = [name for name in ("debootstrap", "unshare", "setpriv") if not shutil.which(name)]
    for each in userlands:
        if not (each.is_native or is_registered(each.emulator) or registration(each.emulator)):
            missing.append(each.emulator)
    if missing:
        return f"no {', '.join(missing)} here (apt-get install {' '.join(NEEDS)})"
    return None


def make_bundles(extra):
    """Train and export here what is to be answered there; gives name → folder and x86's scores."""
    sources = [*ROOT.glob("train/*.py"), *ROOT.glob("convert/*.py"), *ROOT.glob("runtime/*.py")]
    content = b"".join(path.read_bytes() for path in [*sorted(sources), GLOSSES, SLICE])
    folder = CACHE / f"bundles-{hashlib.sha256(content).hexdigest()[:8]}"
    if not folder.exists():
        for old in CACHE.glob("bundles-*"):
            shutil.rmtree(old)
        with step("bundles: trained and exported here"), made(folder) as making:
            runs = making / "runs"
            train(GLOSSES, "--glove", SLICE, "--out", runs / "glosses")
            for recipe in ("dynamic", "int4", "float32"):
                options = ("--out", making / recipe, "--quantize", recipe)
                convert("export", runs / "glosses", *options)
            train(write_two_classes(runs), "--glove", SLICE, "--out", runs / "two", "--epochs", 3)
            convert("export", runs / "two", "--out", making / "binary")
    device = [os.environ["GLOVELITE_DEVICE_PYTHON"], "-m", "runtime"]

    def call(*arguments, stdin=None):
        return run(*device, *arguments, input=stdin).stdout

    paths = [folder / "dynamic", folder / "int4", *([extra] if extra else [])]
    return folder, {path: score(call, path) for path in paths}


def check(userland, bundles, notes):
    """Make a userland if need be, install the wheel there and see that all is as on x86."""
    folder, references = bundles
    make(userland)
    wheel = max((ROOT / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    home = install(userland, wheel)
    tests = [*TESTS, *DATA, *(f"tests/{name}" for name in list_tests())]
    copy_into(userland.path / home, [ROOT / name for name in tests], ROOT)
    shutil.copytree(folder, userland.path / home / "bundles", dirs_exist_ok=True)

    def call(*arguments, stdin=None):
        return inside(userland, f"/{home}/venv/bin/glovelite-run", *arguments, input=stdin).stdout

    proofs = {}
    for path, reference in references.items():
        shutil.copytree(path, userland.path / home / "bundles" / path.name, dirs_exist_ok=True)
        with step(f"{userland.name}: {path.name} answers as on x86"):
            proofs[path.name] = prove(call, f"/{home}/bundles/{path.name}", reference)
    with step(f"{userland.name}: the runtime's tests"):
        command = command_tests(f"/{home}/venv/bin/python", f"/{home}/tests", f"/{home}/bundles")
        options = () if userland.is_native else EMULATED
        passed = count_passed(inside(userland, *command, *options))
    first = next(iter(proofs.values()))
    print(
        f"{userland.name}: Python {first['python']}, {first['interpreter']}, "
        f"numpy {first['numpy']}, {passed} tests passed; largest differences",
        "; ".join(
            f"{name} {proof['largest_difference']:.1e} on golden texts, "
            f"{proof['largest_score_difference']:.1e} on others ({proof['tolerance']:g} allowed)"
            for name, proof in proofs.items()
        ),
        flush=True,
    )
    if notes:
        note(notes, userland.title, first, passed)


def install(userland, wheel):
    """Install the wheel as an owner would, then the tests' tools; gives the folder."""
    content = hashlib.sha256(wheel.read_bytes() + (ROOT / "constraints.txt").read_bytes())
    home = f"root/glovelite-{content.hexdigest()[:8]}"
    if (userland.path / home).exists():
        return home
    for old in (userland.path / "root").glob("glovelite-*"):
        shutil.rmtree(old)
    making = userland.path / home
    with step(f"{userland.name}: pip install {wheel.name}"):
        try:
            copy_into(making, [wheel], wheel.parent)
            copy_into(making, [ROOT / "constraints.txt"], ROOT)
            system = ["--system-site-packages"] if userland.debian_numpy else []
            inside(userland, "python3", "-m", "venv", *system, f"/{home}/venv")
            pip = (f"/{home}/venv/bin/pip", "install", "--quiet")
            inside(userland, *pip, f"/{home}/{wheel.name}")
            inside(userland, *pip, "-c", f"/{home}/constraints.txt", "pytest", "hypothesis")
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
    return home


if __name__ == "__main__":
    try:
        main()
    except (pytest.fail.Exception, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"userlands: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
