"""A Debian userland of any architecture: made by debootstrap, entered by chroot, run by qemu.

Every command in one has a mount and a process namespace of its own, so that the kernel takes its
mounts and processes away however it and whoever started it end.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from helpers import ROOT, run

CACHE = ROOT / ".userlands"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
PACKAGES = ("python3", "python3-venv", "ca-certificates")
ALONE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--pid", "--kill-child", "--mount")
PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "pip_index_url", "pip_default_timeout")


@dataclass(frozen=True)
class Userland:
    """A Debian release for an architecture, and where its numpy comes from."""

    release: str
    architecture: str
    machine: str
    emulator: str
    debian_numpy: bool = False

    @property
    def name(self):
        return f"{self.release}-{self.architecture}"

    @property
    def packages(self):
        return (*PACKAGES, "python3-numpy") if self.debian_numpy else PACKAGES

    @property
    def path(self):
        key = hashlib.sha256(repr((astuple(self), self.packages)).encode()).hexdigest()[:8]
        return CACHE / f"{self.name}-{key}"

    @property
    def is_native(self):
        return self.machine == platform.machine()

    @property
    def title(self):
        return f"Debian {self.release}, {self.machine}" + (", by qemu" * (not self.is_native))


def is_registered(emulator):
    return (BINFMT / emulator).is_file()


def registration(emulator):
    """Give the line by which the kernel learns of an emulator."""
    path = Path("/usr/lib/binfmt.d") / f"{emulator}.conf"
    return path.read_text() if path.is_file() else None


@contextlib.contextmanager
def registered(emulator):
    """Let the kernel run an architecture's programs, and leave it afterwards as it was."""
    with contextlib.ExitStack() as stack:
        if not (BINFMT / "register").exists():
            run("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT)
            stack.callback(run, "umount", BINFMT)
        if not is_registered(emulator):
            (BINFMT / "register").write_text(registration(emulator))
            stack.callback((BINFMT / emulator).write_text, "-1")
        yield


def make(userland):
    """Unpack and configure a Debian in `.userlands/`, unless it stands there."""
    if userland.path.exists():
        return
    with step(f"{userland.name}: debootstrap"), made(userland.path) as root:
        include = f"--include={','.join(userland.packages)}"
        options = ("--variant=minbase", "--foreign", "--force-check-gpg", include)
        architecture = f"--arch={userland.architecture}"
        run(*ALONE, "debootstrap", *options, architecture, userland.release, root)
        if (root / "proc").is_symlink():  # debootstrap's way within a container
            (root / "proc").unlink()
            (root / "proc").mkdir()
        (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
        run(*ALONE, *chroot(root), "/debootstrap/debootstrap", "--second-stage")
        shutil.rmtree(root / "var/cache/apt", ignore_errors=True)


def inside(userland, *command, **options):
    """Run a command in a userland that stands, with the machine's network and certificates."""
    etc = userland.path / "etc"
    shutil.copyfile("/etc/resolv.conf", etc / "resolv.conf")
    certificates = os.environ.get("PIP_CERT")
    if certificates:
        shutil.copyfile(certificates, etc / "ssl/host.crt")
    return run(*ALONE, *chroot(userland.path), *command, **options)


def chroot(root):
    passed_on = [f"{k}={v}" for k, v in os.environ.items() if k.lower() in PASSED_ON]
    if os.environ.get("PIP_CERT"):
        passed_on.append("PIP_CERT=/etc/ssl/host.crt")
    here = ("--mount-proc", "--root", root, "--wd", "/root", "/usr/bin/env", "-i")
    return (*here, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", *passed_on)


def copy_into(folder, paths, base):
    for path in paths:
        target = folder / path.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


@contextlib.contextmanager
def made(path):
    """A folder to make something in that gets its name once it is whole, or goes."""
    making = path.with_name(f".making-{path.name}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        yield making
        making.rename(path)
    finally:
        shutil.rmtree(making, ignore_errors=True)


@contextlib.contextmanager
def step(title):
    begun = time.monotonic()
    print(f"{title} …", end=" ", flush=True)
    yield
    print(f"{time.monotonic() - begun:.0f} s", flush=True)
