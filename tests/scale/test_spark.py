"""A classifier on Spark, as docs/scale.md shows it; needs Java."""

import re
import shutil
import sys

import pytest

from tests.helpers import LEGACY_BUNDLE, ROOT

pytest.importorskip("pyspark", reason="needs pyspark: run `make test-scale`")
pytestmark = pytest.mark.skipif(not shutil.which("java"), reason="needs Java")


def test_the_example_of_the_docs_scores_a_frame(monkeypatch):
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    page = (ROOT / "docs/scale.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names = {}
    exec(example.replace("bundles/mine", str(LEGACY_BUNDLE)), names)
    spark = names["spark"]
    try:
        frame = spark.createDataFrame([("a small bird",), ("a sweet cake",)], "text string")
        rows = names["score"](frame).collect()
    finally:
        spark.stop()
    assert [(row.text, row.label) for row in rows] == [
        ("a small bird", "animal"), ("a sweet cake", "food"),
    ]  # fmt: skip
