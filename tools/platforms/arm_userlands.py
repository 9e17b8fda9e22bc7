"""Runs the runtime in Debian's ARM userlands under qemu, and on musl, installed as an owner would.

    python -m tools.platforms.arm_userlands [NAME ... | --all] [--bundle FOLDER] [--record FILE]
                                            [--install]

In each userland, pip installs the newest wheel of dist/, bundles made here replay their golden
texts and answer a hundred texts as on x86, and the runtime's tests run. Userlands are made once,
in .userlands/ (userland.py).
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

from tests.helpers import GLOSSES, ROOT, SLICE, convert, run, train, write_two_classes
from tools.platforms.device_checks import (
    check_bundle,
    count_passed,
    list_tests,
    pytest_command,
    record,
    score,
)
from tools.platforms.userland import (
    CACHE,
    MuslUserland,
    Userland,
    bootstrap,
    complete_folder,
    copy_into,
    is_registered,
    registered,
    registration,
    run_inside,
    step,
)

# qemu runs a process's threads itself: a fork while they work hangs, as on no real processor.
EMULATED_OPTIONS = ("--hypothesis-profile", "emulated", "-k", "not fork")
REQUIREMENTS = ("debootstrap", "qemu-user-static", "debian-archive-keyring")
# What the tests need, from the clone.
FILES = (
    *(ROOT / "tests").glob("*.py"),
    *(ROOT / "tools").glob("*.py"),
    *(path for path in (ROOT / "tests/data/legacy").rglob("*") if path.is_file()),
    *(ROOT / "tests" / name for name in list_tests()),
    GLOSSES,
)

USERLANDS = (
    Userland("bookworm", "arm64", "aarch64", "qemu-aarch64"),
    # pip finds no numpy wheel for armv7l, so Debian's is used.
    Userland("bookworm", "armhf", "armv7l", "qemu-arm", debian_numpy=True),
    Userland("trixie", "arm64", "aarch64", "qemu-aarch64"),
    Userland("trixie", "armhf", "armv7l", "qemu-arm", debian_numpy=True),
    MuslUserland("trixie", "amd64", "x86_64", "qemu-x86_64"),
    Userland("testing", "amd64", "x86_64", "qemu-x86_64"),
)


def main():
    """Check the userlands asked for; exit with 0 if all pass."""
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [userland for userland in USERLANDS if userland.name in options.names]
    if options.install:
        run("apt-get", "install", "--yes", "--no-install-recommends", *REQUIREMENTS)
    reason = missing_requirements(chosen)
    if reason:
        sys.exit(print(f"skipped: {reason}"))
    failed = []
    with contextlib.ExitStack() as stack:
        for emulator in {userland.emulator for userland in chosen if not userland.is_native}:
            stack.enter_context(registered(emulator))
        folder, references = make_bundles(options.bundle)
        for userland in chosen:
            try:
                check_userland(userland, folder, references, options.record)
            except pytest.fail.Exception as error:
                failed.append(userland.name)
                print(f"{userland.name}: FAILED\n{error}", flush=True)
    print(f"{len(chosen) - len(failed)} of {len(chosen)} userlands passed", *failed)
    sys.exit(bool(failed))


def parse_options():
    """Parse the command line; by default all ARM userlands and musl are checked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [userland.name for userland in USERLANDS]
    default = [name for name in names if name != "testing-amd64"]
    parser.add_argument("names", nargs="*", default=default, metavar="NAME", help=", ".join(names))
    parser.add_argument("--all", action="store_const", const=names, dest="names", help="all")
    parser.add_argument("--bundle", type=Path, help="another bundle to check")
    parser.add_argument("--record", type=Path, help="file to append the results to")
    parser.add_argument("--install", action="store_true", help="apt-get install what is missing")
    options = parser.parse_args()
    if not set(options.names) <= set(names):
        parser.error(f"NAME is one of {', '.join(names)}")
    return options


def missing_requirements(userlands):
    """Return why the userlands cannot run here, or None if they can."""
    if os.geteuid() != 0:
        return "debootstrap and chroot need root (sudo make test-arm)"
    missing = [name for name in ("debootstrap", "unshare", "setpriv") if not shutil.which(name)]
    for userland in userlands:
        emulator = userland.emulator
        if not (userland.is_native or is_registered(emulator) or registration(emulator)):
            missing.append(emulator)
    if missing:
        return f"{', '.join(missing)} not found (apt-get install {' '.join(REQUIREMENTS)})"
    return None


def make_bundles(extra):
    """Train and export the bundles to check; return their folder and x86's scores by path."""
    packages = ("runtime", "data", "evaluation", "train", "convert")
    sources = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    content = b"".join(path.read_bytes() for path in [*sources, GLOSSES, SLICE])
    folder = CACHE / f"bundles-{hashlib.sha256(content).hexdigest()[:8]}"
    if not folder.exists():
        for old in CACHE.glob("bundles-*"):
            shutil.rmtree(old)
        with step("training and exporting the bundles"), complete_folder(folder) as temporary:
            runs = temporary / "runs"
            train(GLOSSES, "--glove", SLICE, "--out", runs / "glosses")
            for recipe in ("dynamic", "int4", "float32"):
                options = ("--out", temporary / recipe, "--quantize", recipe)
                convert("export", runs / "glosses", *options)
            hashed = ("--listed-words", 400, "--hashed-words", 1000)
            convert("export", runs / "glosses", "--out", temporary / "hashed", *hashed)
            two_classes = write_two_classes(runs)
            train(two_classes, "--glove", SLICE, "--out", runs / "two", "--epochs", 3)
            convert("export", runs / "two", "--out", temporary / "binary")
            hashed = ("--listed-words", 300, "--hashed-words", 400)
            convert("export", runs / "two", "--out", temporary / "hashed-binary", *hashed)
    device = [os.environ["GLOVELITE_DEVICE_PYTHON"], "-m", "glovelite.runtime"]

    def call(*arguments, stdin=None):
        return run(*device, *arguments, input=stdin).stdout

    paths = [folder / "dynamic", folder / "int4", *([extra] if extra else [])]
    return folder, {path: score(call, path) for path in paths}


def check_userland(userland, folder, references, record_file):
    """Install the wheel in a userland; compare its answers with x86's; run the runtime's tests."""
    bootstrap(userland)
    wheel = max((ROOT / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    home = install(userland, wheel)
    copy_into(userland.path / home, FILES, ROOT)
    shutil.copytree(folder, userland.path / home / "bundles", dirs_exist_ok=True)

    def call(*arguments, stdin=None):
        command = (f"/{home}/venv/bin/glovelite-run", *arguments)
        return run_inside(userland, *command, input=stdin).stdout

    results = {}
    for path, reference in references.items():
        shutil.copytree(path, userland.path / home / "bundles" / path.name, dirs_exist_ok=True)
        with step(f"{userland.name}: comparing {path.name} with x86"):
            results[path.name] = check_bundle(call, f"/{home}/bundles/{path.name}", reference)
    with step(f"{userland.name}: running the runtime's tests"):
        command = pytest_command(f"/{home}/venv/bin/python", f"/{home}/tests", f"/{home}/bundles")
        options = () if userland.is_native else EMULATED_OPTIONS
        passed = count_passed(run_inside(userland, *command, *options))
    first = next(iter(results.values()))
    differences = "; ".join(
        f"{name} {result['largest_difference']:.1e} on golden texts, "
        f"{result['largest_score_difference']:.1e} on others ({result['tolerance']:g} allowed)"
        for name, result in results.items()
    )
    print(
        f"{userland.name}: Python {first['python']}, {first['interpreter']}, "
        f"numpy {first['numpy']}, {passed} tests passed; largest differences: {differences}",
        flush=True,
    )
    if record_file:
        record(record_file, userland.title, first, passed)


def install(userland, wheel):
    """Install the wheel as an owner would, then the test tools; return the folder inside."""
    content = hashlib.sha256(wheel.read_bytes() + (ROOT / "constraints.txt").read_bytes())
    home = f"root/glovelite-{content.hexdigest()[:8]}"
    if (userland.path / home).exists():
        return home
    for old in (userland.path / "root").glob("glovelite-*"):
        shutil.rmtree(old)
    folder = userland.path / home
    with step(f"{userland.name}: pip install {wheel.name}"):
        try:
            copy_into(folder, [wheel], wheel.parent)
            copy_into(folder, [ROOT / "constraints.txt"], ROOT)
            system = ["--system-site-packages"] if userland.debian_numpy else []
            run_inside(userland, userland.python, "-m", "venv", *system, f"/{home}/venv")
            pip = (f"/{home}/venv/bin/pip", "install", "--quiet")
            run_inside(userland, *pip, f"/{home}/{wheel.name}")
            run_inside(userland, *pip, "-c", f"/{home}/constraints.txt", "pytest", "hypothesis")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return home


if __name__ == "__main__":
    try:
        main()
    except (pytest.fail.Exception, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"arm_userlands: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
