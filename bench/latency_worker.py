"""Times one contender, a round at a time, in a process and an environment of its own.

    PYTHON bench/latency_worker.py CONTENDER MODEL

reads a JSON list of texts, answers a line, and then for every line read classifies each text once,
one thread, half a second warm, and answers the µs from text to label of each, as a JSON list. It
imports nothing of glovelite unless that is what it times.
"""

import json
import re
import sys
import time
from pathlib import Path

WARM_UP = 0.5  # s; a processor that waited its turn runs slower at first


def glovelite(path):
    """Answer by `Classifier.predict`."""
    from runtime import Classifier

    predict = Classifier.load(path).predict
    return lambda text: predict(text)[0].label


def floor(path):
    """Answer nothing: bare re.findall and bare invoke() at the text's own length."""
    import numpy as np

    from runtime.interpreter import LENGTHS, find_interpreter
    from runtime.tokenizer import PATTERN

    vocabulary = json.loads(Path(path, "vocab.json").read_text("utf-8"))
    content = Path(path, "model.tflite").read_bytes()
    most, padding = vocabulary["max_tokens"], vocabulary["trailing_padding"]
    random = np.random.default_rng(0)
    find, interpreters = re.compile(PATTERN).findall, {}
    for length in LENGTHS:
        interpreter = find_interpreter()[1](model_content=content, num_threads=1)
        input_ = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(input_, [1, length])
        interpreter.allocate_tensors()
        ids = len(vocabulary["tokens"]) ** random.random((1, length))  # as Zipf has them
        interpreter.set_tensor(input_, ids.astype(np.int32))
        interpreters[length] = interpreter.invoke
    invokes = {
        needed: interpreters[next(each for each in LENGTHS if each >= needed)]
        for needed in range(LENGTHS[-1] + 1)
    }
    return lambda text: invokes[min(len(find(text)), most) + padding]()


def fasttext_raw(folder):
    """Answer by fastText's own predict, on the text as it is but for line breaks."""
    import fasttext

    fasttext.FastText.eprint = lambda *_: None
    predict = fasttext.load_model(str(Path(folder, "model.ftz"))).predict
    return lambda text: predict(text.replace("\n", " "))[0][0]


def fasttext_prepared(folder):
    """Answer by fastText on text prepared as its guide asks and as it was trained."""
    from rivals import prepare

    predict = fasttext_raw(folder)
    return lambda text: predict(prepare(text))


def linear(folder):
    """Answer by TF-IDF and logistic regression."""
    import pickle

    vectorizer, model = pickle.loads(Path(folder, "linear.pickle").read_bytes())
    return lambda text: model.predict(vectorizer.transform([text]))[0]


def mediapipe(path):
    """Answer by MediaPipe's TextClassifier."""
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python import text as tasks

    model = BaseOptions(model_asset_path=path)
    classifier = tasks.TextClassifier.create_from_options(
        tasks.TextClassifierOptions(base_options=model, max_results=1)
    )
    return lambda text: classifier.classify(text).classifications[0].categories[0].category_name


CONTENDERS = (glovelite, floor, fasttext_raw, fasttext_prepared, linear, mediapipe)


def main():
    """Load, then answer a line a round."""
    (make,) = (each for each in CONTENDERS if each.__name__ == sys.argv[1])
    classify = make(sys.argv[2])
    texts = json.loads(sys.stdin.readline())
    for text in texts:
        classify(text)
    print("ready", flush=True)
    for _ in sys.stdin:
        warm = time.perf_counter() + WARM_UP
        while time.perf_counter() < warm:
            for text in texts:
                classify(text)
        taken = []
        for text in texts:
            begun = time.perf_counter()
            classify(text)
            taken.append((time.perf_counter() - begun) * 1e6)
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main()
