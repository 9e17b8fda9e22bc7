"""Inputs and outputs in an object store: a server on this machine that speaks S3."""

import json
import os
import socket
import subprocess
import sys

import pytest

from tests.helpers import LEGACY_BUNDLE, ROOT, run

pytest.importorskip("ray", reason="needs the extra scale: run `make test-scale`")

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from glovelite import Classifier

SERVER_PYTHON = os.environ.get("GLOVELITE_STORE_PYTHON", "")
TEXTS = [f"a tall tree with {number} leaves" for number in range(900)]

pytestmark = pytest.mark.skipif(not SERVER_PYTHON, reason="needs a server: run `make test-scale`")


@pytest.fixture(scope="module")
def store(wait_for):
    """The environment of a process that reaches the server, which has one bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = {
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [SERVER_PYTHON, "-m", "moto.server", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
            yield {**os.environ, **keys, "PYTHONPATH": str(ROOT / "src")}
        finally:
            server.kill()


@pytest.fixture(scope="module")
def bucket(store):
    """The server's file system, with texts in two files of a bucket."""
    system = fs.S3FileSystem(
        access_key="none",
        secret_key="none",
        region="us-east-1",
        endpoint_override=store["AWS_ENDPOINT_URL"],
        allow_bucket_creation=True,
    )
    system.create_dir("texts")
    for name, texts in (("a", TEXTS[:500]), ("b", TEXTS[500:])):
        labels = ["ab"[number % 2] for number in range(len(texts))]
        table = pa.table({"text": texts, "label": labels})
        pq.write_table(table, f"texts/in/{name}.parquet", filesystem=system)
    with system.open_output_stream("texts/in/notes.txt") as file:
        file.write(b"no texts")
    return system


@pytest.mark.parametrize("source", ["s3://texts/in", "s3://texts/in/*.parquet"])
def test_scoring(store, bucket, source):
    out = f"texts/scored-{'*' in source}"
    done = run(
        sys.executable, "-m", "glovelite.scale.scoring.cli", source, f"s3://{out}",
        "--bundle", LEGACY_BUNDLE, "--rows-per-file", "200", "--workers", "2", "--json", env=store,
    )  # fmt: skip
    assert json.loads(done.stdout)["rows"] == len(TEXTS)
    infos = bucket.get_file_info(fs.FileSelector(out))
    paths = sorted(info.path for info in infos if info.path.endswith(".parquet"))
    rows = [row for path in paths for row in pq.read_table(path, filesystem=bucket).to_pylist()]
    assert [row["text"] for row in rows] == TEXTS
    predicted = Classifier.load(LEGACY_BUNDLE).predict(TEXTS)
    assert [row["predicted_label"] for row in rows] == [
        prediction.label for prediction in predicted
    ]


def test_a_corpus_folder(store, bucket, tmp_path):
    command = [
        sys.executable,
        "-m",
        "glovelite.scale.corpora.cli",
        "s3://texts/in",
        "--rows-per-file",
        "200",
    ]
    summaries = []
    for out, options in (("s3://texts/corpus", ("--address", "local")), (tmp_path / "corpus", ())):
        done = run(*command, out, *options, "--json", env=store)
        summaries.append(json.loads(done.stdout))
    assert summaries[0] == summaries[1]
    local = (tmp_path / "corpus" / "words.jsonl").read_bytes()
    with bucket.open_input_stream("texts/corpus/words.jsonl") as file:
        assert file.read() == local
    names = {info.base_name for info in bucket.get_file_info(fs.FileSelector("texts/corpus"))}
    assert names == {"train", "dev", "test", "corpus.json", "words.jsonl", "_job.json"}


def test_a_bucket_that_is_missing_is_one_line(store, tmp_path):
    done = run(
        sys.executable, "-m", "glovelite.scale.corpora.cli", "s3://nothing/in", tmp_path / "out",
        env=store, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "s3://nothing/in" in done.stderr
