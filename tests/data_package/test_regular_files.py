"""Files to be published are read only where they are files themselves."""

import os

import pytest

from glovelite.data.regular_files import read_regular_file
from glovelite.runtime.errors import OutputError


def test_a_file_is_read(tmp_path):
    (tmp_path / "card.md").write_bytes(b"a card")
    assert read_regular_file(tmp_path / "card.md") == b"a card"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.symlink_to("/etc/hostname"), "is a symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "is a symbolic link"),
        (os.mkfifo, "is not a regular file"),
        (os.mkdir, "Is a directory"),
        (lambda _: None, "No such file"),
    ],
)
def test_anything_else_is_refused(tmp_path, make, message):
    make(tmp_path / "card.md")
    with pytest.raises(OutputError, match=message):
        read_regular_file(tmp_path / "card.md")
