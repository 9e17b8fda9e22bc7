"""Packages are fetched by the registries' own clients, pinned, and kept."""

import hashlib
import zipfile

import pytest

from runtime.io.packages import Package, cache_folder, fetch_package
from train import DownloadError

WHEEL = "glovelite_test_data-1.0-py3-none-any.whl"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder that the real pip finds packages in, instead of the network."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("data.csv", "text,label\n")
        info = "glovelite_test_data-1.0.dist-info/"
        wheel.writestr(
            info + "METADATA", "Metadata-Version: 2.1\nName: glovelite-test-data\nVersion: 1.0\n"
        )
        wheel.writestr(
            info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(info + "RECORD", "")
    for name in ("PIP_CONSTRAINT", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("GLOVELITE_CACHE", str(tmp_path / "cache"))
    return folder


def package(shelf, **changes):
    sha256 = hashlib.sha256((shelf / WHEEL).read_bytes()).hexdigest()
    fields = {"client": "pip", "name": "glovelite-test-data", "version": "1.0", "file": WHEEL}
    return Package(**{**fields, "sha256": sha256, "megabytes": 1, **changes})


def test_a_package_is_fetched_once_and_kept(shelf):
    said = []
    wanted = package(shelf)
    path = fetch_package(wanted, said.append)
    assert path == cache_folder() / "packages" / WHEEL
    (shelf / WHEEL).unlink()
    assert fetch_package(wanted, said.append) == path
    assert len(said) == 1


def test_another_file_than_the_pinned_one_is_not_used(shelf):
    with pytest.raises(DownloadError, match="not used"):
        fetch_package(package(shelf, sha256="0" * 64), lambda _: None)
    assert not (cache_folder() / "packages" / WHEEL).exists()


def test_a_package_that_is_not_there_says_so(shelf):
    with pytest.raises(DownloadError, match="pip could not fetch glovelite-nonesuch"):
        fetch_package(package(shelf, name="glovelite-nonesuch"), lambda _: None)


def test_without_npm_the_error_names_it(shelf, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DownloadError, match="npm is not installed"):
        fetch_package(package(shelf, client="npm"), lambda _: None)
