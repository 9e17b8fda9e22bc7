"""Compiles the C engine for other processors and runs it under qemu.

Debian packages: `gcc-aarch64-linux-gnu`, `gcc-arm-linux-gnueabihf`, `gcc-s390x-linux-gnu` with
their `libc6-dev-…-cross`, and `qemu-user`; `gcc-arm-none-eabi`, `libnewlib-arm-none-eabi` and
`qemu-system-arm` for the chip without an operating system.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

FIRMWARE = Path(__file__).parent / "chip"  # its startup code, memory map and measurement
ENGINE, MODEL = "glovelite.c", "model.c"
CHIP_COMPILER = "arm-none-eabi-gcc"
CHIP = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
SMALL = ("-Os", "-ffunction-sections", "-fdata-sections")
#: newlib-nano, whose files and exit are qemu's by semihosting.
LIBRARIES = ("-nostartfiles", "--specs=nano.specs", "--specs=rdimon.specs", "-u", "_printf_float")
MACHINE = (
    *("qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none"),
    *("-semihosting-config", "enable=on,target=native", "-icount", "shift=0", "-kernel"),
)
TIMEOUT = 600  # seconds


@dataclass(frozen=True)
class Processor:
    """A processor with Linux, emulated.

    Attributes:
        name: Debian's.
        compiler: for it.
        emulator: which runs its programs here.
    """

    name: str
    compiler: str
    emulator: str

    @property
    def available(self) -> bool:
        """Whether compiler and emulator are installed."""
        return bool(shutil.which(self.compiler) and shutil.which(self.emulator))

    def run(self, folder: Path, program: str = "test.c") -> subprocess.CompletedProcess[str]:
        """Compile a program of a folder that `glovelite-convert c` wrote, and run it."""
        output = folder / f"{self.name}.out"
        sources = [program, ENGINE, MODEL]
        command = [self.compiler, "-std=c99", "-O2", "-static", *sources, "-lm", "-o", output]
        subprocess.run(command, cwd=folder, check=True)
        return subprocess.run(
            [self.emulator, output], capture_output=True, text=True, timeout=TIMEOUT
        )


PROCESSORS = (
    Processor("arm64", "aarch64-linux-gnu-gcc", "qemu-aarch64"),
    Processor("armhf", "arm-linux-gnueabihf-gcc", "qemu-arm"),
)
BIG_ENDIAN = Processor("s390x", "s390x-linux-gnu-gcc", "qemu-s390x")


def has_chip() -> bool:
    """Return whether the compiler and the emulator of the chip are installed."""
    return bool(shutil.which(CHIP_COMPILER) and shutil.which(MACHINE[0]))


def compile_for_chip(folder: Path, program: Path, *options: str) -> Path:
    """Link a program with the engine and the model of a folder, without an operating system.

    Args:
        folder: what `glovelite-convert c` wrote.
        program: with `main`.
        options: of the compiler.
    """
    output = folder / f"{program.stem}.elf"
    sources = [FIRMWARE / "startup.c", program, folder / ENGINE, folder / MODEL]
    layout = ["-Wl,--gc-sections", "-T", FIRMWARE / "mps2.ld", f"-I{folder}"]
    command = [CHIP_COMPILER, *CHIP, "-std=gnu99", *SMALL, *options, *LIBRARIES, *layout]
    subprocess.run([*command, *sources, "-lm", "-o", output], check=True)
    return output


def run_on_chip(program: Path) -> subprocess.CompletedProcess[str]:
    """Run a program on an emulated Cortex-M4; its exit status is that of `main`."""
    return subprocess.run([*MACHINE, program], capture_output=True, text=True, timeout=TIMEOUT)


@dataclass(frozen=True)
class ChipUsage:
    """What the golden texts take on a Cortex-M4.

    Attributes:
        code: bytes of the engine's functions.
        tables: bytes of its Unicode tables and other constants.
        memory: bytes of the model's and the session's variables and of the buffer.
        stack: bytes.
        load: instructions of `glovelite_load`.
        texts: number of golden texts.
        tokens: of all of them.
        instructions: of all of them.
    """

    code: int
    tables: int
    memory: int
    stack: int
    load: int
    texts: int
    tokens: int
    instructions: int


def measure_on_chip(folder: Path, *options: str) -> ChipUsage:
    """Run the golden texts of a folder of C on an emulated Cortex-M4; return what that takes."""
    engine = folder / "engine.o"
    command = [CHIP_COMPILER, *CHIP, "-std=c99", "-Os", *options, "-c", ENGINE, "-o", engine]
    subprocess.run(command, cwd=folder, check=True)
    listed = subprocess.run(
        ["arm-none-eabi-size", "-A", engine], capture_output=True, text=True, check=True
    )
    sections = [line.split() for line in listed.stdout.splitlines() if line.startswith(".")]
    done = run_on_chip(compile_for_chip(folder, FIRMWARE / "measure.c", *options))
    if done.returncode:
        raise RuntimeError(f"the chip stopped with status {done.returncode}: {done.stderr}")
    found = dict(line.split() for line in done.stdout.splitlines())
    return ChipUsage(
        code=sum(int(size) for name, size, _ in sections if name.startswith(".text")),
        tables=sum(int(size) for name, size, _ in sections if name.startswith(".rodata")),
        **{name: int(number) for name, number in found.items()},
    )
