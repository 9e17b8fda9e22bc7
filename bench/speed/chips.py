"""Measures the C engine on an emulated Cortex-M4 without an operating system.

    python -m bench.speed.chips BUNDLE

The golden texts of the bundle run under `qemu-system-arm -M mps2-an386 -icount shift=0`, which
counts instructions, not cycles: it knows neither the flash's wait states nor the pipeline. Writes
`results/chips.json` and prints a Markdown table.
"""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench.reporting import RESULTS, print_table, write_json
from glovelite.convert.targets.c_engine import write_c_engine
from tools.platforms.chips import ChipUsage, has_chip, measure_on_chip

LETTERS = {"all letters": (), "Latin letters (`-DGLOVELITE_LATIN`)": ("-DGLOVELITE_LATIN",)}


def main() -> None:
    """Measure both builds, write the results and print the table."""
    if not has_chip():
        sys.exit("install gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm")
    usages: dict[str, ChipUsage] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "c")
        model_bytes = write_c_engine(sys.argv[1], folder).model_bytes
        for name, options in LETTERS.items():
            usages[name] = measure_on_chip(folder, *options)
    results = {name: asdict(usage) for name, usage in usages.items()}
    write_json(RESULTS / "chips.json", {"model_bytes": model_bytes, "usage": results})
    header = ["Cortex-M4, `-Os`", "flash: model", "code", "tables", "RAM: variables and buffer"]
    header += ["stack", "instructions: loading", "a text", "a token"]
    print_table(header, [make_row(name, usage, model_bytes) for name, usage in usages.items()])


def make_row(name: str, usage: ChipUsage, model_bytes: int) -> list[str]:
    """Return the cells of a build."""
    numbers = (model_bytes, usage.code, usage.tables, usage.memory, usage.stack, usage.load)
    means = (usage.instructions / usage.texts, usage.instructions / usage.tokens)
    return [name, *(f"{number:,.0f}" for number in (*numbers, *means))]


if __name__ == "__main__":
    main()
