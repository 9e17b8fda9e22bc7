"""The numpy engine predicts as the interpreter does, and refuses damaged models safely."""

import json
import os
import random
import re
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glovelite import BundleDamagedError, Classifier, InterpreterError
from glovelite.runtime.bundle import read_bundle
from glovelite.runtime.interpreter import TFLiteModel, interpreter_version
from glovelite.runtime.numpy_engine.interpreter import Interpreter, OpResolverType
from glovelite.runtime.numpy_engine.program import Program
from tests.helpers import LEGACY_BUNDLE, run
from tools.damages import MODEL, forge_model
from tools.fuzz import Fuzz

BUNDLES = ("bundle", "float_bundle", "int4_bundle", "hashed_bundle", "binary_bundle")
HIDE_INTERPRETERS = """
import sys
from importlib.machinery import PathFinder

class Finder:
    def find_spec(name, *more):
        hidden = name in ("tflite_runtime", "ai_edge_litert")
        return None if hidden else PathFinder.find_spec(name, *more)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""
VERSION = """
import json
from glovelite import Classifier
from glovelite.runtime.interpreter import interpreter_version
with Classifier.load(sys.argv[1]) as classifier:
    result = classifier.self_test()
    print(json.dumps([interpreter_version(), result.goldens]))
"""
SELF_TEST = """
import platform
libc, machine = sys.argv.pop(), sys.argv.pop()
platform.libc_ver, platform.machine = lambda: (libc, ""), lambda: machine
from glovelite.runtime.cli.main import main
main()
"""


@pytest.fixture
def use_numpy(monkeypatch):
    monkeypatch.setenv("GLOVELITE_INTERPRETER", "numpy")


@pytest.fixture(params=BUNDLES)
def each_bundle(request):
    return request.getfixturevalue(request.param)


def random_texts(bundle, count=60):
    rng, words = random.Random(0), read_bundle(bundle).vocabulary.tokens[2:]
    lengths = [rng.choice((0, 1, 2, 5, 12, 30, 400)) for _ in range(count)]
    return [" ".join(rng.choices(words, k=length)) for length in lengths]


def test_scores_are_those_of_the_interpreter(each_bundle, monkeypatch):
    texts = random_texts(each_bundle)
    expected = Classifier.load(each_bundle).predict_proba(texts)
    monkeypatch.setenv("GLOVELITE_INTERPRETER", "numpy")
    classifier = Classifier.load(each_bundle)
    assert np.abs(classifier.predict_proba(texts) - expected).max() < 1e-5
    assert classifier.self_test().largest_difference < 1e-5


def test_explanations_are_those_of_the_interpreter(bundle, monkeypatch):
    text = "a small wild bird that sings at night"
    expected = Classifier.load(bundle).explain(text)
    monkeypatch.setenv("GLOVELITE_INTERPRETER", "numpy")
    found = Classifier.load(bundle).explain(text)
    assert found.method == expected.method == "exact"
    assert found.parts == pytest.approx(expected.parts, abs=1e-4)


@pytest.mark.usefixtures("use_numpy")
def test_a_bundle_of_version_0_1_0_passes_its_self_test():
    with Classifier.load(LEGACY_BUNDLE) as classifier:
        assert classifier.self_test().goldens == 13


def run_without_interpreters(python, script, *arguments, selected="", **options):
    environment = {**os.environ, "GLOVELITE_INTERPRETER": selected}
    command = (python, "-c", HIDE_INTERPRETERS + script, *arguments)
    return run(*command, env=environment, cwd="/", **options)


def test_the_engine_is_used_where_no_interpreter_is_installed(device_python, bundle):
    done = run_without_interpreters(device_python, VERSION, bundle)
    version, goldens = json.loads(done.stdout)
    assert version.startswith("numpy engine (numpy ")
    assert goldens > 10


def test_a_missing_interpreter_that_was_selected_is_named(device_python):
    options = {"selected": "ai-edge-litert", "check": False}
    done = run_without_interpreters(device_python, VERSION, LEGACY_BUNDLE, **options)
    assert "ai-edge-litert is not installed: pip install ai-edge-litert, or unset" in done.stderr


@pytest.mark.skipif(sys.maxsize < 2**32, reason="ai-edge-litert has no wheels for 32 bits")
def test_the_self_test_says_how_to_install_an_interpreter_that_has_wheels(device_python, bundle):
    options = (bundle, "--self-test", "x86_64", "glibc")
    lines = run_without_interpreters(device_python, SELF_TEST, *options).stdout.splitlines()
    assert re.fullmatch(r"on numpy engine \(numpy \S+\), Python 3\S+, x86_64", lines[1])
    assert re.search(r"less time than the numpy engine: pip install '.+\[litert\]'$", lines[2])


@pytest.mark.parametrize(("machine", "libc"), [("x86_64", ""), ("armv7l", "glibc")])
def test_the_self_test_names_no_interpreter_without_wheels(device_python, bundle, machine, libc):
    options = (bundle, "--self-test", machine, libc)
    assert "pip" not in run_without_interpreters(device_python, SELF_TEST, *options).stdout


@pytest.mark.usefixtures("use_numpy")
def test_version_names_engine_and_numpy():
    assert interpreter_version() == f"numpy engine (numpy {np.__version__})"


@pytest.mark.usefixtures("use_numpy")
def test_threads_share_a_classifier(bundle):
    texts = random_texts(bundle)
    classifier = Classifier.load(bundle, threads=4)
    expected = [classifier.predict_proba(text) for text in texts]
    wrong = []

    def check():
        for text, scores in zip(texts * 3, expected * 3):
            if not np.array_equal(classifier.predict_proba(text), scores):
                wrong.append(text)

    workers = [threading.Thread(target=check) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.usefixtures("use_numpy")
def test_a_forked_process_predicts(bundle):
    classifier = Classifier.load(bundle)
    expected = classifier.predict_proba("a small bird")
    child = os.fork()
    if child == 0:
        same = np.array_equal(classifier.predict_proba("a small bird"), expected)
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("last_id", [-1, 10**6])
@pytest.mark.usefixtures("use_numpy")
def test_an_id_outside_of_the_table_is_refused(bundle, last_id):
    model = TFLiteModel(read_bundle(bundle).model, None)
    with pytest.raises(InterpreterError, match="inference failed"):
        model.run([2, last_id], 8)


@pytest.mark.usefixtures("use_numpy")
def test_a_text_that_is_too_short_for_the_model_is_refused(bundle):
    model = TFLiteModel(read_bundle(bundle).model, None)
    with pytest.raises(InterpreterError, match="CONV_2D cannot convolve"):
        model.run([], 1)


def test_intermediate_tensors_are_kept_on_request(bundle):
    content = read_bundle(bundle).model
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    outputs = []
    for keep in (True, False):
        interpreter = Interpreter(content, 1, resolver, experimental_preserve_all_tensors=keep)
        interpreter.resize_tensor_input(0, [1, 20])
        interpreter.allocate_tensors()
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        inner = [operator["outputs"][0] for operator in interpreter._get_ops_details()][-3]
        if keep:
            assert interpreter.get_tensor(inner).size
        else:
            with pytest.raises(ValueError, match="not kept"):
                interpreter.get_tensor(inner)
    assert np.array_equal(*outputs)


def test_an_interpreter_that_is_not_ready_says_so(bundle):
    interpreter = Interpreter(read_bundle(bundle).model)
    for call in (interpreter.invoke, lambda: interpreter.get_tensor(0)):
        with pytest.raises(ValueError, match="call"):
            call()
    with pytest.raises(ValueError, match="cannot have the shape"):
        interpreter.resize_tensor_input(0, [2, 20])
    interpreter.resize_tensor_input(0, [1, 20])
    interpreter.allocate_tensors()
    with pytest.raises(ValueError, match=r"int32 \[1, 20\]"):
        interpreter.set_tensor(0, np.zeros((1, 21), np.int32))


def try_model(content):
    """Run a model on two lengths; return an output, or None if the model is refused."""
    try:
        program = Program(content)
        for length in (64, 16):
            program.check_length(length)
            values = program.run(np.full((1, length), 2, np.int32))
        return np.asarray(values[program.place(program.output)])
    except (ValueError, IndexError):
        return None


@pytest.mark.parametrize("name", BUNDLES)
@settings(deadline=None, max_examples=100)
@given(number=st.integers(0, 1 << 40))
def test_a_forged_model_is_refused_or_computes(request, name, number):
    content = read_bundle(request.getfixturevalue(name)).model
    output = try_model(
        forge_model(number, {MODEL: content, "manifest.json": MANIFEST}).changed[MODEL]
    )
    assert output is None or (output.ndim == 2 and len(output) == 1)


MANIFEST = json.dumps({"files": {}}).encode()


@settings(deadline=None, max_examples=300)
@given(content=st.binary(max_size=400), start=st.booleans())
def test_noise_is_refused(content, start):
    assert try_model(b"\x10\0\0\0TFL3" * start + content) is None


def test_a_forged_bundle_cannot_kill_the_process(hashed_bundle, hashed_binary_bundle, tmp_path):
    fuzz = Fuzz((hashed_bundle, hashed_binary_bundle), tmp_path / "fuzz", engine="numpy")
    tried = {number: fuzz.forge(number) for number in range(40)}
    fuzz.process.close()
    assert not {number: wrong for number, (*_, wrong) in tried.items() if wrong}
    assert {found["error"] for found, *_ in tried.values() if "error" in found} <= {
        InterpreterError.__name__,
        BundleDamagedError.__name__,
    }
