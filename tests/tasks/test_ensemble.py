"""An ensemble answers with the mean of its members' logits, and is one model folder."""

import json

import keras
import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.ensemble import ElectraEnsemble
from electra_tf.tasks.evaluate import evaluate
from electra_tf.tasks.glue import glue_data
from electra_tf.tasks.glue_submission import write_submission
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.task_models import load_task_model
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from tests.tasks.glue_files import ROWS, texts_of, write_glue
from tests.tasks.tiny import reviews, scatter_weights

TEXTS = reviews(9, seed=5)[0]


def member(network, seed, **head):
    keras.utils.set_random_seed(seed)
    model_class = ElectraTextRegressor if "score_range" in head else ElectraTextClassifier
    model = model_class.from_preset(network, sequence_length=20, **head)
    scatter_weights(model.classifier, seed=seed)
    return model


def logits(model):
    return model(model.preprocessor(TEXTS)).numpy()


@pytest.mark.parametrize("head", [{"labels": ["neg", "pos"]}, {"score_range": (1, 5)}])
def test_the_answer_is_that_of_the_mean_logits_and_survives_a_folder(network, tmp_path, head):
    members = [member(network, seed, **head) for seed in (1, 2, 3)]
    ensemble = ElectraEnsemble(members)
    mean = np.mean([logits(one) for one in members], axis=0)
    assert np.abs(mean - logits(members[0])).max() > 0.1
    np.testing.assert_allclose(logits(ensemble), mean, atol=1e-5)
    expected = np.exp(mean) / np.exp(mean).sum(axis=1, keepdims=True) if "labels" in head else 1 + 4 * mean[:, 0]
    np.testing.assert_allclose(ensemble.predict(TEXTS, verbose=0), expected, atol=1e-5)
    ensemble.save_to_preset(tmp_path / "ensemble")
    again = load_task_model(tmp_path / "ensemble")
    assert isinstance(again, ElectraEnsemble) and len(again.members) == 3
    np.testing.assert_allclose(logits(again), mean, atol=1e-5)


def test_an_ensemble_of_regressors_is_scored_and_answers_a_leaderboard_as_one_regressor(network, tmp_path):
    members = [member(network, seed, score_range=(0, 5), pairs=True) for seed in (1, 2)]
    ElectraEnsemble(members).save_to_preset(tmp_path / "ensemble")
    data = glue_data("glue/stsb", write_glue(tmp_path, "stsb"))
    pairs = [tuple(texts_of("dev", row, 2)) for row in range(ROWS)]
    mean = np.mean([one.predict(pairs, verbose=0) for one in members], axis=0)
    evaluate(tmp_path / "ensemble", data.validation, task=data.task, output=tmp_path / "scores")
    written = [json.loads(line)["prediction"] for line in (tmp_path / "scores" / "predictions.jsonl").open()]
    np.testing.assert_allclose(written, mean, atol=1e-5)
    assert (tmp_path / "scores" / "scores.png").is_file()
    path, = write_submission(tmp_path, load_task_model(tmp_path / "ensemble"), data)
    expected = np.mean([one.predict([tuple(texts_of("test", row, 2)) for row in range(ROWS)], verbose=0)
                        for one in members], axis=0).clip(0, 5)
    told = [float(line.split("\t")[1]) for line in path.read_text().splitlines()[1:]]
    np.testing.assert_allclose(told, expected, atol=6e-4)


def test_several_labels_are_told_by_the_mean_of_the_logits_not_of_the_probabilities(network, tmp_path):
    members = []
    for seed in (1, 2, 3):
        keras.utils.set_random_seed(seed)
        members.append(ElectraMultiLabelClassifier.from_preset(network, labels=["film", "good", "plot"],
                                                               sequence_length=20))
        scatter_weights(members[-1].classifier, seed=seed)
    mean = np.mean([logits(one) for one in members], axis=0)
    assert np.abs(mean - logits(members[0])).max() > 0.1
    ensemble = ElectraEnsemble(members)
    ensemble.save_to_preset(tmp_path / "ensemble")
    of_probabilities = np.mean([one.predict(TEXTS, verbose=0) for one in members], axis=0)
    for model in (ensemble, load_task_model(tmp_path / "ensemble")):
        np.testing.assert_allclose(logits(model), mean, atol=1e-5)
        answers = model.predict(TEXTS, verbose=0)
        np.testing.assert_allclose(answers, 1 / (1 + np.exp(-mean)), atol=1e-5)
        assert np.abs(answers - of_probabilities).max() > 1e-3


def test_what_makes_no_ensemble_is_refused(network):
    one, other = member(network, 1, labels=["neg", "pos"]), member(network, 2, labels=["bad", "good"])
    with pytest.raises(InputError, match="must be of one task, with the same labels and vocabulary"):
        ElectraEnsemble([one, other])
    with pytest.raises(InputError, match="models of kind 'ensemble' make no ensemble; expected text_classifier"):
        ElectraEnsemble([ElectraEnsemble([one])])
    with pytest.raises(InputError, match="an ensemble is not trained; train its members"):
        ElectraEnsemble([one]).fit(["a"], ["neg"])
    with pytest.raises(InputError, match="holds a model of kind 'discriminator'; expected an ensemble"):
        ElectraEnsemble.from_preset(network)
    with pytest.raises(InputError, match="holds a model of kind 'discriminator', which was not tuned for a task"):
        load_task_model(network)
