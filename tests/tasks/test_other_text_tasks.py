"""Regression, several labels and multiple choice: Hugging Face's numbers, Keras' habits, runs on files."""

import json

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multi_label_task import MultiLabelTask
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.options import MultiLabel, MultipleChoice, Regression
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.tasks.trial import write_predictions
from tests.oracles.hugging_face import LOSS_TOLERANCE, OUTPUT_TOLERANCE, arrays_of, folder_of, inputs_of, labels_of
from tests.tasks.tiny import BAD, GOOD, OTHERS, reviews

CONFIG = FineTuningConfig(sequence_length=30, batch_size=16, epochs=12.0, learning_rate=3e-3, dropout=0.0,
                          layer_decay=0.9)


@pytest.mark.parametrize("name, model_class", [
    ("sequence_regression", ElectraTextRegressor), ("sequence_multilabel", ElectraMultiLabelClassifier),
    ("multiple_choice", ElectraMultipleChoice)])
def test_outputs_and_loss_of_a_hugging_face_model_are_its_own(name, model_class):
    model, features = model_class.from_preset(folder_of(name)), inputs_of(name)
    if name == "multiple_choice":
        features = {key: array.reshape(3, 4, 16) for key, array in features.items()}
    expected = arrays_of(name, "outputs")
    logits = model(features).numpy()
    np.testing.assert_allclose(logits, expected["logits"].reshape(logits.shape), rtol=0, atol=OUTPUT_TOLERANCE)
    labels, = labels_of(name).values()
    losses = model.losses(tf.constant(labels), tf.constant(logits))
    assert float(tf.reduce_mean(losses)) == pytest.approx(float(expected["loss"]), abs=LOSS_TOLERANCE)


def test_a_score_is_learnt_and_told_in_the_users_range(network, tmp_path):
    texts, labels = reviews(96, seed=0)
    scores = [4.0 if label == "pos" else -2.0 for label in labels]
    model = ElectraTextRegressor.from_preset(network, score_range=(-2, 4), sequence_length=30, dropout=0.0)
    model.compile(settings=CONFIG)
    model.fit(texts, scores, verbose=0)
    answers = model.predict(texts, verbose=0)
    assert answers.shape == (96,) and np.corrcoef(answers, scores)[0, 1] > 0.9
    assert model.evaluate(texts, scores, verbose=0, return_dict=True)["mean_squared_error"] == pytest.approx(
        float(np.mean(((answers - scores) / 6) ** 2)), rel=1e-3)
    model.save_to_preset(tmp_path / "model")
    again = ElectraTextRegressor.from_preset(tmp_path / "model")
    assert again.score_range == (-2.0, 4.0)
    np.testing.assert_allclose(again.predict(texts[:5], verbose=0), answers[:5], atol=1e-5)


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def scored(count, seed):
    texts, labels = reviews(count, seed=seed)
    return [{"text": text, "score": 5.0 if label == "pos" else 1.5} for text, label in zip(texts, labels, strict=True)]


def labelled(count, seed):
    """Two labels that come and go independently: a good word, the word "film"."""
    texts, labels = reviews(count, seed=seed)
    return [{"text": text, "topics": ["good"] * (label == "pos") + ["film"] * ("film" in text)}
            for text, label in zip(texts, labels, strict=True)]


def choices_of_long_texts(count, seed):
    return choices(count, seed, words=50)


def choices(count, seed, *, words=4):
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        place = int(random.integers(3))
        endings = [random.choice(GOOD if number == place else BAD) for number in range(3)]
        rows.append({"text": " ".join(random.choice(OTHERS, words)), "label": place,
                     **{f"ending{number}": str(word) for number, word in enumerate(endings)}})
    return rows


@pytest.mark.parametrize("task, rows, metric", [
    (Regression(("text",), "score"), scored, "pearson"),
    (MultiLabel(("text",), "topics"), labelled, "micro_f1"),
    (MultipleChoice(("text",), ("ending0", "ending1", "ending2"), "label"), choices, "accuracy"),
    (MultipleChoice(("text",), ("ending0", "ending1", "ending2"), "label", long_text="mean", stride=9),
     choices_of_long_texts, "accuracy")])
def test_a_run_on_files_learns_and_tells_what_it_reached(network, tmp_path, task, rows, metric):
    sets = {name: write_rows(tmp_path / f"{name}.jsonl", rows(count, seed))
            for name, count, seed in (("train", 200, 0), ("validation", 50, 1), ("test", 40, 2))}
    result = finetune(CONFIG, task=task, **sets, model=network, output=tmp_path / "run")
    assert result.metric == metric and result.best.test[metric] > 0.8
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["task"] == task.name and written["median"] == result.best.test[metric]
    predictions = [json.loads(line) for line in (tmp_path / "run/trials/0/predictions.jsonl").read_text().splitlines()]
    assert len(predictions) == 40 and {"text", "label", "prediction"} <= set(predictions[0])
    assert (tmp_path / "run" / "trials" / "0" / "scores.png").stat().st_size > 1000


@pytest.mark.parametrize("task, row, message", [
    (Regression(("text",), "label"), {"label": "high"}, r"train.jsonl, line 2: the score is 'high'; expected a number"),
    (Regression(("text",), "label"), {"label": 1}, r"train.jsonl: the scores are all 1; there is nothing to learn"),
    (MultiLabel(("text",), "label"), {"label": "a||b"}, r"train.jsonl, line 2: 'a\|\|b' holds an empty label"),
    (MultipleChoice(("text",), ("x", "y"), "label"), {"label": 2, "x": "a", "y": "b"},
     r"train.jsonl, line \d: label '2' names no choice; expected one of x, y, or its number from 0")])
def test_rows_that_cannot_be_used_are_named(network, tmp_path, task, row, message):
    first = {"text": "a", "label": 1, "x": "a", "y": "b"}
    train = write_rows(tmp_path / "train.jsonl", [first, {**first, **row}])
    with pytest.raises(InputError, match=message):
        finetune(CONFIG, task=task, train=train, validation=train, model=network, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_label_that_training_lacks_is_named(network, tmp_path):
    train = write_rows(tmp_path / "train.jsonl", [{"text": "a", "label": "x|y"}, {"text": "b", "label": ""}])
    other = write_rows(tmp_path / "dev.jsonl", [{"text": "a", "label": "x| z"}])
    with pytest.raises(InputError, match=r"dev.jsonl, line 1: label 'z' is unknown; expected one of x, y"):
        finetune(CONFIG, task=MultiLabel(("text",), "label"), train=train, validation=other, model=network,
                 output=tmp_path / "run")


@pytest.mark.parametrize("name", ["train.jsonl", "TRAIN.JSONL"])
def test_a_string_that_begins_with_a_bracket_is_a_label_and_no_list(network, tmp_path, name):
    task = MultiLabelTask(MultiLabel(("text",), "topics"))
    topics = ["[sport", "[sport|film", ["film"], [], "[1]", [1]]
    rows = task.read(write_rows(tmp_path / name, [{"text": "a", "topics": value} for value in topics]))
    model = ElectraMultiLabelClassifier.from_preset(network, labels=["1", "[1]", "[sport", "film"])
    assert [{name for name, holds in zip(model.labels, row, strict=True) if holds}
            for row in task.examples(model, rows).labels] == [
        {"[sport"}, {"[sport", "film"}, {"film"}, set(), {"[1]"}, {"1"}]


def test_predictions_with_half_characters_are_written(tmp_path):
    """The name of a choice may come from a command line, and with it what no file in UTF-8 can hold."""
    write_predictions(tmp_path / "a.jsonl", [{"text": "naïve", "label": "x\udcff"}])
    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8") == '{"text": "naïve", "label": "x\ufffd"}\n'


def test_texts_with_different_numbers_of_endings_are_refused(network):
    model = ElectraMultipleChoice.from_preset(network, num_choices=2)
    with pytest.raises(InputError, match="texts have 2, 3 endings; expected 2 for each"):
        model.encode([("a", ("b", "c")), ("a", ("b", "c", "d"))])
