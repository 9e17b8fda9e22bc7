"""Times one contender, a round at a time, in its own process and environment.

    PYTHON bench/speed/latency_worker.py CONTENDER MODEL

Reads a JSON list of texts and answers with a line. Then, for every line read, warms up for half a
second, classifies each text once on one thread, and prints the µs from text to label of each as a
JSON list. Imports nothing of glovelite unless that is what it times.
"""

import json
import re
import sys
import time
from pathlib import Path

WARM_UP_SECONDS = 0.5  # a processor that was waiting runs slower at first


def glovelite(path):
    """Classify with `Classifier.predict`."""
    from glovelite import Classifier

    predict = Classifier.load(path).predict
    return lambda text: predict(text)[0].label


def lower_bound(path):
    """Run only re.findall and invoke(), at each text's own length, without a prediction."""
    import numpy as np

    from glovelite.runtime.interpreter import BUCKET_LENGTHS, find_interpreter

    vocabulary = json.loads(Path(path, "vocab.json").read_text("utf-8"))
    content = Path(path, "model.tflite").read_bytes()
    max_tokens, padding = vocabulary["max_tokens"], vocabulary["trailing_padding"]
    random = np.random.default_rng(0)
    find, by_bucket = re.compile(vocabulary["tokenizer"]["pattern"]).findall, {}
    for length in BUCKET_LENGTHS:
        interpreter = find_interpreter()[1](model_content=content, num_threads=1)
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, [1, length])
        interpreter.allocate_tensors()
        ids = len(vocabulary["tokens"]) ** random.random((1, length))  # as frequent as Zipf's law
        interpreter.set_tensor(index, ids.astype(np.int32))
        by_bucket[length] = interpreter.invoke
    by_length = {
        length: by_bucket[next(bucket for bucket in BUCKET_LENGTHS if bucket >= length)]
        for length in range(BUCKET_LENGTHS[-1] + 1)
    }
    return lambda text: by_length[min(len(find(text)), max_tokens) + padding]()


def fasttext_raw(folder):
    """Classify with fastText's predict, on the text as it is except for line breaks."""
    import fasttext

    fasttext.FastText.eprint = lambda *_: None
    predict = fasttext.load_model(str(Path(folder, "model.ftz"))).predict
    return lambda text: predict(text.replace("\n", " "))[0][0]


def fasttext_prepared(folder):
    """Classify with fastText, on text prepared as its guide recommends and as it was trained."""
    from bench.accuracy.rivals import prepare_for_fasttext

    predict = fasttext_raw(folder)
    return lambda text: predict(prepare_for_fasttext(text))


def fasttext_all_labels(path):
    """Compute the probabilities of all labels with fastText, on prepared text."""
    import fasttext

    from bench.accuracy.rivals import prepare_for_fasttext

    fasttext.FastText.eprint = lambda *_: None
    predict = fasttext.load_model(path).predict
    return lambda text: predict(prepare_for_fasttext(text), k=-1)


def linear(folder):
    """Classify with TF-IDF and logistic regression."""
    import pickle

    vectorizer, model = pickle.loads(Path(folder, "linear.pickle").read_bytes())
    return lambda text: model.predict(vectorizer.transform([text]))[0]


def linear_all_labels(path):
    """Compute the probabilities of all labels with TF-IDF and logistic regression."""
    import pickle

    vectorizer, model = pickle.loads(Path(path).read_bytes())
    return lambda text: model.predict_proba(vectorizer.transform([text]))[0]


def mediapipe(path):
    """Classify with MediaPipe's TextClassifier."""
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python import text as tasks

    model = BaseOptions(model_asset_path=path)
    classifier = tasks.TextClassifier.create_from_options(
        tasks.TextClassifierOptions(base_options=model, max_results=1)
    )
    return lambda text: classifier.classify(text).classifications[0].categories[0].category_name


CONTENDERS = (
    glovelite,
    lower_bound,
    fasttext_raw,
    fasttext_prepared,
    fasttext_all_labels,
    linear,
    linear_all_labels,
    mediapipe,
)


def main():
    """Load the contender, then time a round for every line."""
    (load,) = (contender for contender in CONTENDERS if contender.__name__ == sys.argv[1])
    classify = load(sys.argv[2])
    texts = json.loads(sys.stdin.readline())
    for text in texts:
        classify(text)
    print("ready", flush=True)
    for _ in sys.stdin:
        warm = time.perf_counter() + WARM_UP_SECONDS
        while time.perf_counter() < warm:
            for text in texts:
                classify(text)
        times = []
        for text in texts:
            start = time.perf_counter()
            classify(text)
            times.append((time.perf_counter() - start) * 1e6)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
