"""Runs on vectors that are known by name: repeated and continued."""

import gzip

import pytest

from glovelite.data.packages import cache_folder
from glovelite.train.vectors.download import Download
from glovelite.train.vectors.sources import GLOVE_PACKAGES, NAMED_VECTORS
from tests.helpers import GLOSSES, SLICE, convert, read_csv, read_json, write_csv
from tests.train.command import train
from tests.train.local_server import serve
from tests.train.vector_files import write_wink

NAME = "glove.6B.100d"
NOWHERE = Download("http://127.0.0.1:9/none")
PACKAGED = GLOVE_PACKAGES[NAME]


@pytest.fixture(params=["a package", pytest.param("a download", marks=pytest.mark.nightly)])
def sources(request, tmp_path, monkeypatch):
    """Sources of the default vectors, whose publishers cannot be reached, or a local one."""
    monkeypatch.setenv("GLOVELITE_CACHE", str(tmp_path / "cache"))
    content = gzip.decompress(SLICE.read_bytes())
    if request.param == "a package":
        lines = [line.split() for line in content.decode().splitlines()]
        vectors = {word: [*map(float, values), 1.0, 0] for word, *values in lines}
        write_wink(cache_folder() / "packages" / PACKAGED.package.file, vectors)
        yield NOWHERE, PACKAGED
    else:
        with serve() as server:
            yield (server.add("glove-100.gz", SLICE.read_bytes()),)


@pytest.mark.slow
def test_a_run_on_known_vectors_is_repeated_and_continued(sources, tmp_path, monkeypatch):
    monkeypatch.setitem(NAMED_VECTORS, NAME, sources)
    rows = [(row["text"], row["label"]) for row in read_csv(GLOSSES)[:500]]
    part, rest = write_csv(tmp_path / "a.csv", rows[:300]), write_csv(tmp_path / "b.csv", rows)
    runs = {name: tmp_path / name for name in ("first", "again", "next")}
    train(part, "--preset", "article", "--epochs", 2, "--out", runs["first"])
    train(part, "--config", runs["first"], "--out", runs["again"])
    train(rest, "--init", runs["again"], "--epochs", 1, "--out", runs["next"])
    metrics = {name: read_json(run / "metrics.json") for name, run in runs.items()}
    assert metrics["first"]["history"] == metrics["again"]["history"]
    assert {run["configuration"]["glove"] for run in metrics.values()} == {NAME}
    (origin,) = {run["vectors"] for run in metrics.values()}
    assert origin.startswith(f"{NAME} (")
    (sha256,) = {run["vectors_sha256"] for run in metrics.values()}
    assert len(sha256) == 64
    options = ("--quantize", "float32", "--no-gate")
    convert("export", runs["next"], "--out", tmp_path / "bundle", *options, cwd=tmp_path)
    assert f"frozen vectors\n{origin}." in (tmp_path / "bundle/MODEL_CARD.md").read_text("utf-8")
