"""Scoring a tuned model from Python: what no scores can be given for is refused before any work."""

import json

import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.evaluate import evaluate
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.options import TextClassification
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import reviews, save_networks, tiny_config, tiny_vocabulary, write_tsv

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


def test_f1_of_the_second_label_chooses_weights_where_there_are_two_labels_and_is_refused_for_three(tmp_path):
    texts, labels = reviews(48, seed=0)
    two = write_tsv(tmp_path / "two.tsv", texts, labels)
    three = write_tsv(tmp_path / "three.tsv", texts, ["other", *labels[1:]])
    config = FineTuningConfig(sequence_length=20, batch_size=16, epochs=1.0)
    network = save_networks(tmp_path / "networks") / "discriminator"
    run = finetune(config, task=TASK, train=two, validation=two, model=network, output=tmp_path / "run", metric="f1")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["metric"] == "f1" and result["median"] == run.best.validation["f1"]
    assert evaluate(tmp_path / "run", two, task=TASK, metric="f1")["f1"] == pytest.approx(result["median"])
    with pytest.raises(InputError, match="metric='f1' is of the second of two labels, and there are 3; choose one of"):
        finetune(config, task=TASK, train=three, validation=three, model=network, output=tmp_path / "no", metric="f1")
    assert not (tmp_path / "no").exists()


def test_a_known_metric_comes_first_in_the_result(classifier, tmp_path):
    data = write_tsv(tmp_path / "data.tsv", ["a good film", "a bad film"], ["pos", "neg"])
    numbers = evaluate(classifier, data, task=TASK, metric="macro_f1", output=tmp_path / "scores")
    result = (tmp_path / "scores" / "result.json").read_text()
    assert '"metric": "macro_f1"' in result and {"accuracy", "macro_f1"} <= set(numbers)
