"""A Debian userland of any architecture: made by debootstrap, entered by chroot, run by qemu.

One of them has a Python that uses musl, because Debian has no such userland.

Every command in one runs in a mount and a process namespace of its own, so the kernel removes its
mounts and processes however the command or its caller ends.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.helpers import ROOT, run

CACHE = ROOT / ".userlands"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
PACKAGES = ("python3", "python3-venv", "ca-certificates")
ISOLATED = (
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--fork",
    "--pid",
    "--kill-child",
    "--mount",
)
INHERITED_VARIABLES = {
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "pip_index_url",
    "pip_default_timeout",
}


@dataclass(frozen=True)
class Userland:
    """A Debian release for an architecture; `debian_numpy` installs numpy from Debian."""

    release: str
    architecture: str
    machine: str
    emulator: str
    debian_numpy: bool = False

    @property
    def name(self):
        """Such as `bookworm-arm64`."""
        return f"{self.release}-{self.architecture}"

    @property
    def title(self):
        """Its name in the table of platforms."""
        return f"Debian {self.release}, {self.machine}" + (", by qemu" * (not self.is_native))

    @property
    def packages(self):
        """Debian packages to install."""
        return (*PACKAGES, "python3-numpy") if self.debian_numpy else PACKAGES

    @property
    def python(self):
        """The command that starts its Python."""
        return "python3"

    @property
    def recipe(self):
        """Everything that it is made from."""
        return astuple(self), self.packages

    @property
    def path(self):
        """Its folder in the cache."""
        key = hashlib.sha256(repr(self.recipe).encode()).hexdigest()[:8]
        return CACHE / f"{self.name}-{key}"

    @property
    def is_native(self):
        """Whether this machine runs it without an emulator."""
        return self.machine == platform.machine()

    def complete(self, root):
        """Do what remains once Debian is installed in a folder."""


class MuslUserland(Userland):
    """A Debian release with a Python that is built there for musl, Alpine's C library."""

    name = "musl"
    title = "Linux with musl, x86_64"
    packages = (
        *("autoconf", "automake", "ca-certificates", "gcc", "libc6-dev", "libltdl-dev", "libtool"),
        *("linux-libc-dev", "make", "musl-tools", "perl", "xz-utils"),
    )
    python = "/opt/python/bin/python3"
    script = Path(__file__).with_name("build_musl_python.sh")

    @property
    def recipe(self):
        """Everything that it is made from."""
        return *super().recipe, self.script.read_text("utf-8")

    def complete(self, root):
        """Build Python."""
        copy_into(root / "root", [self.script], self.script.parent)
        run_in(root, "sh", self.script.name, "/opt/python")


def is_registered(emulator):
    """Return whether the kernel already runs programs through an emulator."""
    return (BINFMT / emulator).is_file()


def registration(emulator):
    """Return the line that registers an emulator with the kernel, or None if not installed."""
    path = Path("/usr/lib/binfmt.d") / f"{emulator}.conf"
    return path.read_text() if path.is_file() else None


@contextlib.contextmanager
def registered(emulator):
    """Register an emulator with the kernel, and restore the kernel's state at the end."""
    with contextlib.ExitStack() as stack:
        if not (BINFMT / "register").exists():
            run("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT)
            stack.callback(run, "umount", BINFMT)
        if not is_registered(emulator):
            (BINFMT / "register").write_text(registration(emulator))
            stack.callback((BINFMT / emulator).write_text, "-1")
        yield


def bootstrap(userland):
    """Unpack and configure a Debian in `.userlands/`, unless it is there."""
    if userland.path.exists():
        return
    with step(f"{userland.name}: debootstrap"), complete_folder(userland.path) as root:
        include = f"--include={','.join(userland.packages)}"
        options = ("--variant=minbase", "--foreign", "--force-check-gpg", include)
        architecture = f"--arch={userland.architecture}"
        run(*ISOLATED, "debootstrap", *options, architecture, userland.release, root)
        if (root / "proc").is_symlink():  # debootstrap links it inside a container
            (root / "proc").unlink()
            (root / "proc").mkdir()
        (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
        run(*ISOLATED, *chroot(root), "/debootstrap/debootstrap", "--second-stage")
        userland.complete(root)
        shutil.rmtree(root / "var/cache/apt", ignore_errors=True)


def run_inside(userland, *command, **options):
    """Run a command in a userland, with this machine's network and certificates."""
    return run_in(userland.path, *command, **options)


def run_in(root, *command, **options):
    """Run a command in the folder of a userland."""
    etc = root / "etc"
    shutil.copyfile("/etc/resolv.conf", etc / "resolv.conf")
    certificates = os.environ.get("PIP_CERT")
    if certificates:
        shutil.copyfile(certificates, etc / "ssl/host.crt")
    return run(*ISOLATED, *chroot(root), *command, **options)


def chroot(root):
    """Return the arguments of `unshare` and `env` that enter a root with a clean environment."""
    inherited = [f"{k}={v}" for k, v in os.environ.items() if k.lower() in INHERITED_VARIABLES]
    if os.environ.get("PIP_CERT"):
        inherited.append("PIP_CERT=/etc/ssl/host.crt")
    enter = ("--mount-proc", "--root", root, "--wd", "/root", "/usr/bin/env", "-i")
    return (*enter, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", *inherited)


def copy_into(folder, paths, base):
    """Copy files into a folder, keeping their paths relative to `base`."""
    for path in paths:
        target = folder / path.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


@contextlib.contextmanager
def complete_folder(path):
    """Yield a temporary folder that takes its name once the block succeeds."""
    temporary = path.with_name(f".incomplete-{path.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def step(title):
    """Print a step's title, then how many seconds it took."""
    start = time.monotonic()
    print(f"{title} …", end=" ", flush=True)
    yield
    print(f"{time.monotonic() - start:.0f} s", flush=True)
