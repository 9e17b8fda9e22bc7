"""Damaged run folders, checkpoints and tables are read, or refused in one line."""

from argparse import Namespace

import pytest

from tools.fuzz_files import READERS, RUN_FOLDERS, fuzz_part

DAMAGES = 10  # `make fuzz` tries hundreds
PARTS = [pytest.param(part, marks=[pytest.mark.slow] * (part == RUN_FOLDERS)) for part in READERS]


@pytest.mark.parametrize("part", PARTS)
def test_damaged_files_are_read_or_refused(part, run_folder, tmp_path):
    options = Namespace(run=run_folder, count=DAMAGES, first=0, keep=None)
    row, failures = fuzz_part(part, options, tmp_path)
    assert not failures, "python -m tools.fuzz_files RUN --count 1 --first NUMBER repeats it"
    assert row.startswith(f"| {part} | {DAMAGES} |")
