"""fetch_package uses the registries' own clients, checks hashes and caches files."""

import hashlib
import zipfile

import pytest

from glovelite import DownloadError
from glovelite.data.packages import Package, cache_folder, fetch_package

WHEEL = "glovelite_test_data-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder in which the real pip finds packages instead of on the network."""
    folder = tmp_path / "index"
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


def package(index, **changes):
    sha256 = hashlib.sha256((index / WHEEL).read_bytes()).hexdigest()
    fields = {"client": "pip", "name": "glovelite-test-data", "version": "1.0", "file": WHEEL}
    return Package(**{**fields, "sha256": sha256, "megabytes": 1, **changes})


def test_fetch_package_caches_the_file(index, logged):
    wanted = package(index)
    path = fetch_package(wanted)
    assert path == cache_folder() / "packages" / WHEEL
    (index / WHEEL).unlink()
    assert fetch_package(wanted) == path
    assert len(logged) == 1


def test_fetch_package_rejects_a_file_with_another_hash(index):
    with pytest.raises(DownloadError, match="the file was not used"):
        fetch_package(package(index, sha256="0" * 64))
    assert not (cache_folder() / "packages" / WHEEL).exists()


def test_fetch_package_reports_a_missing_package(index):
    with pytest.raises(DownloadError, match="pip could not fetch glovelite-nonesuch"):
        fetch_package(package(index, name="glovelite-nonesuch"))


def test_fetch_package_without_npm_names_it(index, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DownloadError, match="npm is not installed"):
        fetch_package(package(index, client="npm"))
