"""Files from elsewhere are read only where they are regular files of limited size."""

import os

import pytest

from glovelite.data.regular_files import read_regular_file


def test_a_file_is_read(tmp_path):
    (tmp_path / "card.md").write_bytes(b"a card")
    (tmp_path / "link").symlink_to("card.md")
    assert read_regular_file(tmp_path / "card.md", 6) == b"a card"
    assert read_regular_file(tmp_path / "link", 6, follow_links=True) == b"a card"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.symlink_to("/etc/hostname"), "is a symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "is a symbolic link"),
        (os.mkfifo, "is not a regular file"),
        (os.mkdir, "Is a directory"),
        (lambda _: None, "No such file"),
        (lambda path: path.write_bytes(b"a long card"), "has more than 6 bytes"),
        (lambda path: (path.touch(), os.truncate(path, 1 << 40)), "has more than 6 bytes"),
    ],
)
def test_anything_else_is_refused(tmp_path, make, message):
    make(tmp_path / "card.md")
    with pytest.raises(ValueError, match=message):
        read_regular_file(tmp_path / "card.md", 6)


def test_a_device_is_refused_although_links_are_followed(tmp_path):
    (tmp_path / "card.md").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="is not a regular file"):
        read_regular_file(tmp_path / "card.md", 6, follow_links=True)
