"""Where the wide weights start: at naive Bayes's ratios, a rare class with no more than others."""

import json
import sys

import numpy as np
import pytest
from helpers import run

START = """
import json
import numpy as np
from train.data.batches import EncodedCorpus
from train.model.wide import start_weights

texts = [[2, 3], [2, 3, 3], [2], [3], [2, 4]]  # 2 in all but one; 4 in the rare class; 5 in none
ids = np.array(sum(texts, []), np.int32)
starts = np.cumsum([0, *map(len, texts)])
answers = []
for targets in ([0, 0, 0, 0, 1], [0, 0, 1, 0, 2]):
    corpus = EncodedCorpus(ids, starts, np.array(targets, np.int32), 1)
    answers.append(start_weights(corpus, 6, 1 + max(targets)).tolist())
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def weights():
    done = run(sys.executable, "-c", START)
    return [np.array(each) for each in json.loads(done.stdout.splitlines()[-1])]


def test_two_classes_have_one_column_and_more_have_one_each(weights):
    assert [each.shape for each in weights] == [(6, 1), (6, 3)]


def test_padding_and_words_of_no_text_weigh_nothing(weights):
    for each in weights:
        assert not each[0].any()
        assert np.allclose(each[5], 0, atol=1e-6)


def test_a_word_weighs_for_the_class_it_stands_in(weights):
    two, three = weights
    assert two[4, 0] > 0 > two[3, 0]
    assert three[4].argmax() == 2
