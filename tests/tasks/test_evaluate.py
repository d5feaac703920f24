"""Scoring a tuned model from Python: what no scores can be given for is refused before any work."""

import pytest

from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.evaluate import evaluate
from electra_tf.tasks.options import TextClassification
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import tiny_config, tiny_vocabulary, write_tsv

TASK = TextClassification(("sentence",), "label")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A model folder."""
    folder = tmp_path_factory.mktemp("classifier") / "model"
    ElectraTextClassifier(ElectraEncoder(tiny_config(num_layers=1)), labels=["neg", "pos"],
                          preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=12)).save_to_preset(folder)
    return folder


def test_an_unknown_metric_is_refused_before_the_data_are_read(classifier, tmp_path):
    with pytest.raises(InputError, match="metric='acuracy' is not known; choose one of accuracy, macro_f1, "):
        evaluate(classifier, "no.tsv", task=TASK, metric="acuracy", output=tmp_path / "scores")
    assert not list(tmp_path.iterdir())


def test_a_known_metric_comes_first_in_the_result(classifier, tmp_path):
    data = write_tsv(tmp_path / "data.tsv", ["a good film", "a bad film"], ["pos", "neg"])
    numbers = evaluate(classifier, data, task=TASK, metric="macro_f1", output=tmp_path / "scores")
    result = (tmp_path / "scores" / "result.json").read_text()
    assert '"metric": "macro_f1"' in result and {"accuracy", "macro_f1"} <= set(numbers)
