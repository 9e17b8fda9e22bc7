"""Foreign Keras models become run folders, and what the other tokenizer changes is measured."""

import json

import pytest

from glovelite.convert import ConversionError, DataError, import_keras
from glovelite.convert.foreign.vectorizer import PADDINGS, pad, read_words
from glovelite.convert.worker import run_in_child
from tests.helpers import GLOSSES, convert, read_csv, read_json, read_json_lines, write_csv

LABELS = ("animal", "food", "person", "plant")
#: Trains a model, and saves it with a TextVectorization layer and without, and its words.
TRAIN = """
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
words = layers.TextVectorization(max_tokens=3000, output_sequence_length=40)
words.adapt(texts)
embedding, drop = layers.Embedding(3000, 16), layers.Dropout(0.1)
convolutions = [
    layers.Conv1D(24, 1, activation="relu"),
    layers.Conv1D(24, 3, padding="same", activation="relu", use_bias=False),
]
pools = [layers.GlobalMaxPooling1D() for _ in convolutions]
join, dense = layers.Concatenate(), layers.Dense(4, activation="softmax")

def build(ids):
    vectors = drop(embedding(ids))
    features = [pool(layer(vectors)) for pool, layer in zip(pools, convolutions)]
    return dense(join(features[::-1]))

ids, text = keras.Input((40,), dtype="int64"), keras.Input((1,), dtype="string")
model = keras.Model(ids, build(ids))
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(np.asarray(words(texts)), np.array(targets), epochs=8, verbose=0)
model.save(f"{folder}/ids.keras")
keras.Model(text, build(words(text))).save(f"{folder}/text.keras")
keras.Sequential([keras.Input((1,), dtype="string"), words]).save(f"{folder}/words.keras")
with open(f"{folder}/words.txt", "w") as file:
    file.write("\\n".join(words.get_vocabulary()))
"""
#: Saves a model of the layers that `middle` makes between an embedding and two outputs.
BUILD = """
import keras
from keras import layers
model = keras.Sequential([keras.Input((9,)), layers.Embedding(6, 4), *eval(middle)])
model.save(path)
"""
POOLED = "layers.Conv1D(3, 2, activation='relu'), layers.GlobalMaxPooling1D()"


@pytest.fixture(scope="module")
def glosses():
    """The texts and labels of the glosses, first those to train on."""
    rows = read_csv(GLOSSES)
    return [row["text"] for row in rows], [row["label"] for row in rows]


@pytest.fixture(scope="module")
def foreign(glosses, tmp_path_factory):
    """A folder with a trained model and its words."""
    folder, (texts, labels) = tmp_path_factory.mktemp("foreign"), glosses
    targets = [LABELS.index(label) for label in labels[:1500]]
    given = {"texts": texts[:1500], "targets": targets, "folder": str(folder)}
    run_in_child(exec, TRAIN, given)
    write_csv(folder / "dev.csv", zip(texts[1500:], labels[1500:]))
    return folder


def build(path, middle):
    run_in_child(exec, BUILD, {"path": str(path), "middle": f"[{middle}]"})
    return path


def test_a_model_with_its_vectorization_becomes_a_bundle(foreign, tmp_path):
    command = ("import", foreign / "text.keras", "--labels", ",".join(LABELS))
    command += ("--dev", foreign / "dev.csv", "--out", tmp_path / "run")
    shown = convert(*command).stdout
    assert "dev, the original with its own tokenizer: accuracy" in shown
    options = ("--quantize", "float32", "--no-spelling")
    convert("export", tmp_path / "run", "--out", tmp_path / "bundle", *options)
    manifest = read_json(tmp_path / "bundle" / "manifest.json")
    assert manifest["accuracy"]["dev"]["agreement"] == 1
    assert manifest["trained"]["glove"] == "of text.keras, which was imported"
    assert convert(*command, check=False).returncode == 1  # nothing is overwritten
    texts = {row["text"] for row in read_json_lines(tmp_path / "run" / "dev.jsonl")}
    calibration = {row["text"] for row in read_json_lines(tmp_path / "run" / "calibration.jsonl")}
    assert not texts & calibration


@pytest.mark.parametrize("words", ["words.txt", "words.keras"])
def test_words_in_a_file_are_the_same_as_in_the_model(foreign, tmp_path, words):
    given = LABELS, foreign / "dev.csv"
    inside = import_keras(foreign / "text.keras", tmp_path / "a", *given)
    beside = import_keras(foreign / "ids.keras", tmp_path / "b", *given, foreign / words)
    assert beside.original.accuracy == inside.original.accuracy > 0.75
    assert beside.imported == inside.imported
    assert inside.agreement > 0.95
    assert abs(inside.original.accuracy - inside.imported.accuracy) < 0.03
    assert (tmp_path / "a" / "vocab.json").read_text() == (
        tmp_path / "b" / "vocab.json"
    ).read_text()


def test_labels_in_another_order_than_the_outputs_are_suspected(foreign, tmp_path, logged):
    labels = [*LABELS[1:], LABELS[0]]
    import_keras(foreign / "text.keras", tmp_path / "run", labels, foreign / "dev.csv")
    assert "are --labels in the order of its outputs" in logged[-1]


def test_a_tokenizer_in_json_splits_text_for_the_original(foreign, tmp_path):
    words = (foreign / "words.txt").read_text("utf-8").split("\n")[2:]
    index = {"<oov>": 1, **{word: id_ for id_, word in enumerate(words, start=2)}}
    config = {"word_index": json.dumps(index), "oov_token": "<oov>", "num_words": None}
    config |= {"char_level": False, "filters": "!.,;:()'\"-`", "lower": True, "split": " "}
    (tmp_path / "t.json").write_text(json.dumps({"class_name": "Tokenizer", "config": config}))
    given = LABELS, foreign / "dev.csv", tmp_path / "t.json"
    result = import_keras(foreign / "ids.keras", tmp_path / "run", *given)
    assert result.padding in PADDINGS
    assert result.original.accuracy > 0.75
    assert result.agreement > 0.95


def test_multi_label_and_two_outputs_are_converted(tmp_path):
    words, dev = tmp_path / "words.txt", tmp_path / "dev.csv"
    words.write_text("a\nb\nc\n", "utf-8")
    rows = [["a", "x|y"], ["b c", "y"], ["c", ""], ["a b", "x"]]
    write_csv(dev, rows, ("text", "labels"))
    model = build(tmp_path / "m.keras", f"{POOLED}, layers.Dense(3, 'sigmoid')")
    result = import_keras(model, tmp_path / "run", ("x", "y", "z"), dev, words)
    assert result.imported.multi_label is not None
    write_csv(dev, [["a", "x"], ["b c", "y"], ["c", "y"]])
    model = build(tmp_path / "n.keras", f"{POOLED}, layers.Dropout(0.5), layers.Dense(2)")
    result = import_keras(model, tmp_path / "two", ("x", "y"), dev, words)
    assert result.agreement == 1


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        ("layers.LSTM(3), layers.Dense(2)", r"'lstm.*' \(LSTM\) cannot be imported"),
        (f"{POOLED}, layers.Dense(3), layers.Dense(2)", "one Dense layer, found dense"),
        (f"layers.Conv1D(3, 2, activation='relu'), {POOLED}, layers.Dense(2)", "follows 'conv1d"),
        (f"{POOLED.replace('relu', 'tanh')}, layers.Dense(2)", "has activation 'tanh'"),
        (f"{POOLED.replace('2,', '2, strides=2,')}, layers.Dense(2)", "has strides"),
        (f"{POOLED}, layers.Dense(2, 'relu')", "has the activation relu, expected sigmoid"),
        ("layers.GlobalMaxPooling1D(), layers.Dense(2)", "is where a Conv1D is expected"),
    ],
)
def test_layers_that_cannot_be_imported_are_named(tmp_path, middle, message):
    model = build(tmp_path / "m.keras", middle)
    with pytest.raises(ConversionError, match=message):
        import_keras(model, tmp_path / "run", ("a", "b"), tmp_path / "dev.csv", tmp_path / "w")
    assert not (tmp_path / "run").exists()


def test_words_and_labels_that_do_not_fit_are_named(tmp_path):
    model, words = build(tmp_path / "m.keras", f"{POOLED}, layers.Dense(1)"), tmp_path / "w.txt"
    words.write_text("\n".join("abcdefg"), "utf-8")
    for labels, given, message in (
        (("a", "b"), None, "has no TextVectorization layer: name the words of its ids"),
        (("a", "b"), words, "expected at most 6 words with padding and the unknown word"),
        (("a", "b"), tmp_path / "no.txt", "no.txt cannot be read"),
        (("a", "b"), model, "m.keras holds no TextVectorization layer"),
    ):
        with pytest.raises((DataError, ConversionError), match=message):
            import_keras(model, tmp_path / "run", labels, GLOSSES, given)
    words.write_text("a\nb\n", "utf-8")
    with pytest.raises(DataError, match="expected 2 different labels for its outputs, found 3"):
        import_keras(model, tmp_path / "run", "abc", GLOSSES, words)
    (tmp_path / "d.json").write_text('{"config": {"char_level": true}}')
    with pytest.raises(DataError, match="char_level: its tokens are characters"):
        read_words(tmp_path / "d.json")


def test_ids_are_padded_and_cut_on_one_side():
    rows = [[1, 2, 3], [4], []]
    assert pad(rows, 2, "pre").tolist() == [[2, 3], [0, 4], [0, 0]]
    assert pad(rows, 2, "post").tolist() == [[1, 2], [4, 0], [0, 0]]
