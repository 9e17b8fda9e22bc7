"""The C engine by every compiler here, with sanitizers, on many texts and damages: `make test-c`.

tests/convert/test_c_engine.py has the short form, which CI runs.
"""

import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from glovelite.convert.model_bin.model_file import build_model_file
from glovelite.convert.targets.c_engine import ENGINE_FOLDER
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.text.pieces import make_pieces
from glovelite.runtime.text.tokenizer import WORDS, WORDS_AND_PUNCTUATION
from tests.c_engine import (
    SANITIZED,
    STRICT,
    assert_equal_ids,
    assert_equal_predictions,
    build,
    can_sanitize,
    classify,
    draw_texts,
    pack_vocabulary,
    vocabulary_of,
)
from tests.helpers import GLOSSES, read_csv

pytestmark = pytest.mark.skipif(not os.environ.get("GLOVELITE_C"), reason="run `make test-c`")
RANDOM_TEXTS, DAMAGES, HELD_OUT = 100_000, 5_000, 100_000
MAX_CODE_BYTES, MAX_TABLE_BYTES, MAX_LATIN_BYTES = 40_000, 40_000, 6_000
LATIN = "Été, déjà-vu, cœur; Tiếng Việt: Tie\u0302\u0301ng. İyi, ŒUVRE it’s l'amande _x_ ﬁn"
RECIPES = ("float32", "float16", "dynamic", "int4")
TOKENIZERS = {"words": WORDS, "all": WORDS_AND_PUNCTUATION, "pieces": make_pieces(())}


@pytest.fixture(scope="session", autouse=True)
def _workers(_conversion_workers):
    pass


@pytest.fixture(scope="module", params=["gcc", "clang"])
def compiler(request):
    """A compiler."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def program(compiler, tmp_path_factory):
    """A function from the name of a program to its path, with sanitizers."""
    folder = tmp_path_factory.mktemp("c")
    if not can_sanitize(compiler, folder):
        pytest.skip(f"{compiler} has no sanitizers here")
    return build(compiler, folder, "-O1", *SANITIZED)


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3", "-Os"])
def test_no_warnings_at_any_level(compiler, tmp_path, level):
    build(compiler, tmp_path, level)
    (tmp_path / "latin").mkdir()
    build(compiler, tmp_path / "latin", level, "-DGLOVELITE_LATIN")


@pytest.mark.parametrize("name", TOKENIZERS)
def test_ids_of_random_and_damaged_text(program, tmp_path, name):
    assert_equal_ids(program("driver"), tmp_path, [*draw_texts(RANDOM_TEXTS)], TOKENIZERS[name])


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("layout", ["conv", "folded"])
@pytest.mark.parametrize("run_name", ["glosses", "two", "pairs", "wide", "topics", "characters"])
def test_predictions_of_every_recipe(exported, program, tmp_path, recipe, layout, run_name):
    options = ("--quantize", recipe, "--layout", layout, "--no-gate")
    bundle = exported(run_name, *options)
    texts = ["", "zyx", *(row["text"] for row in read_csv(GLOSSES)[::4])]
    assert_equal_predictions(program("driver"), bundle, texts, tmp_path)
    assert_equal_predictions(program("driver"), bundle, texts, tmp_path, cache_bytes=100_000)


@pytest.mark.parametrize("run_name", ["glosses", "two", "pairs", "characters"])
def test_no_report_for_damaged_models(exported, program, tmp_path, run_name):
    path = tmp_path / "model.bin"
    path.write_bytes(build_model_file(read_bundle(exported(run_name))).content)
    done = subprocess.run([program("fuzz"), path, str(DAMAGES), "1"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[:2000]


def test_no_report_for_many_texts(exported, program, tmp_path):
    model = build_model_file(read_bundle(exported("glosses"))).content
    texts = [*draw_texts(HELD_OUT)]
    assert len(classify(program("driver"), model, texts, tmp_path, 20_000)) == len(texts) + 1


def test_latin_alone_finds_the_same_ids_in_latin_text(compiler, tmp_path):
    driver = build(compiler, tmp_path, "-O1", "-DGLOVELITE_LATIN")("driver")
    vocabulary = replace(vocabulary_of([LATIN], WORDS), max_tokens=100)
    _, answer = classify(driver, pack_vocabulary(vocabulary), [LATIN], tmp_path)
    assert answer["ids"] == vocabulary.encode(LATIN).ids


def test_code_and_tables_are_small(compiler, tmp_path):
    sizes = {}
    for macro in ("-DGLOVELITE_ALL", "-DGLOVELITE_LATIN"):
        output = tmp_path / "engine.o"
        source = ENGINE_FOLDER / "glovelite.c"
        subprocess.run([compiler, *STRICT, "-Os", macro, "-c", source, "-o", output], check=True)
        done = subprocess.run(["size", output], capture_output=True, text=True, check=True)
        text, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
        assert (data, bss) == (0, 0)  # no state of its own
        sizes[macro] = text
    code = sizes["-DGLOVELITE_LATIN"] - MAX_LATIN_BYTES
    assert code < MAX_CODE_BYTES
    assert sizes["-DGLOVELITE_ALL"] - code < MAX_TABLE_BYTES + 1024  # and of CRC-32
