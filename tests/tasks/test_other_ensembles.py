"""Taggers, question answerers and multiple choice as ensembles: the mean of their logits, then as one model."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.ensemble import AnswererEnsemble, ChoiceEnsemble, TaggerEnsemble, ensemble_of
from electra_tf.tasks.evaluate import evaluate
from electra_tf.tasks.finetune import finetune, task_of
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.options import MultipleChoice, QuestionAnswering, TokenClassification, Trials
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.task_models import load_task_model, load_text_model
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.question_answering.moods import moods as asked_moods
from tests.tasks.question_answering.moods import write_squad
from tests.tasks.tagging.moods import moods, write_columns
from tests.tasks.tiny import save_networks, scatter_weights, tiny_config, tiny_vocabulary

WORDS = [["a", "good", "film"], ["the", "plot", "was", "dull"], ["fine"]]
PAIRS = [("a film", "the plot was dull and the film was fine"), ("what was", "a lovely scene"), ("a", "")]
CHOICES = [("the film was", ("good", "bad")), ("a scene", ("very dull", "lovely"))]


def members_of(kind, *, count=3, **settings):
    made = []
    for seed in range(count):
        model = kind(ElectraEncoder(tiny_config(num_layers=1)), **settings,
                     preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=24))
        scatter_weights(model, seed=seed)
        made.append(model)
    return made


def answerers(**options):
    return members_of(ElectraQuestionAnswerer, no_answer_threshold=0.6,
                      options=QuestionAnswering(beam_size=4, **options))


MAKE = {
    TaggerEnsemble: (lambda: members_of(ElectraTokenClassifier, labels=["N", "V", "X"]), WORDS),
    ChoiceEnsemble: (lambda: members_of(ElectraMultipleChoice, num_choices=2), CHOICES),
    AnswererEnsemble: (answerers, PAIRS)}


def features_of(model, texts):
    encoded = model.encode(tuple(zip(*texts, strict=True)) if texts is PAIRS else texts)
    return {name: tf.constant(values) for name, values in encoded.batch(
        np.arange(len(encoded)), batch_size=len(encoded)).items()}


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("kind", [TaggerEnsemble, ChoiceEnsemble])
def test_the_logits_are_the_mean_of_the_members(kind):
    make, texts = MAKE[kind]
    members = make()
    features = features_of(members[0], texts)
    expected = np.mean([member(features).numpy() for member in members], axis=0)
    assert np.abs(members[0](features).numpy() - expected).max() > 0.1
    np.testing.assert_allclose(kind(members)(features), expected, atol=1e-5)


def test_words_get_the_tag_that_the_mean_likes_best():
    members = MAKE[TaggerEnsemble][0]()
    ensemble = TaggerEnsemble(members)
    mean = np.mean([member(features_of(member, WORDS)).numpy() for member in members], axis=0)
    for row, tagged in enumerate(ensemble.predict(WORDS)):
        chances = np.exp(log_softmax(mean[row, 1:1 + len(WORDS[row])]))  # every word is one piece
        assert [word.tag for word in tagged.words] == [ensemble.labels[place] for place in chances.argmax(axis=-1)]
        assert [word.probability for word in tagged.words] == pytest.approx(chances.max(axis=-1).tolist(), abs=1e-5)


@pytest.mark.parametrize("options", [{}, {"joint": False, "answerability": "none"}, {"answerability": "cls"}])
def test_the_beam_is_that_of_the_mean_logits(options):
    members = answerers(**options)
    ensemble, features = AnswererEnsemble(members), features_of(members[0], PAIRS)
    rows = len(features["token_ids"])
    beam = {name: values.numpy() for name, values in ensemble(features)._asdict().items()}

    def mean(field, starts):
        logits = [member.logits_for(features, {"start": tf.constant(starts)}, training=False) for member in members]
        return np.mean([getattr(one, field).numpy() for one in logits], axis=0)
    normalized = log_softmax if ensemble.options.joint else np.asarray
    start = normalized(mean("start", [0] * rows))
    best = np.argsort(-start, axis=1, kind="stable")[:, :4]
    np.testing.assert_array_equal(beam["start_positions"], best)
    np.testing.assert_allclose(beam["start_scores"], np.take_along_axis(start, best, axis=1), rtol=1e-5, atol=1e-5)
    for number in range(4):
        end = normalized(mean("end", best[:, number]))
        expected = -np.sort(-end, axis=1)[:, :4]
        np.testing.assert_allclose(beam["end_scores"][:, number], expected, rtol=1e-5, atol=1e-5)
    no_answer = (mean("impossible", [0] * rows) if ensemble.options.answerability != "none" else
                 start[:, 0] + normalized(mean("end", [0] * rows))[:, 0])
    np.testing.assert_allclose(beam["no_answer"], no_answer, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", MAKE)
def test_an_ensemble_comes_back_from_its_folder_and_its_keras_file(kind, tmp_path):
    make, texts = MAKE[kind]
    ensemble = ensemble_of(make())
    assert type(ensemble) is kind

    def outputs(model):
        return [np.asarray(values) for values in tf.nest.flatten(model(features_of(model, texts)))]
    ensemble.save_to_preset(tmp_path / "folder")
    ensemble.save(tmp_path / "model.keras")
    for again in (load_task_model(tmp_path / "folder"), keras.models.load_model(tmp_path / "model.keras")):
        assert type(again) is kind and len(again.members) == 3
        for found, expected in zip(outputs(again), outputs(ensemble), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    with pytest.raises(InputError, match=f"holds a model of kind '{ensemble.KIND}'; give the labels of a tuned model"):
        load_text_model(tmp_path / "folder")
    with pytest.raises(InputError, match="an ensemble is not trained; train its members"):
        ensemble.fit(texts, [0])


def test_an_ensemble_of_answerers_has_one_threshold(tmp_path):
    members = answerers()
    for member, threshold in zip(members, (0.2, 0.3, 0.7), strict=True):
        member.no_answer_threshold = threshold
    ensemble = AnswererEnsemble(members)
    assert ensemble.no_answer_threshold == pytest.approx(0.4)
    ensemble.no_answer_threshold = 0.9
    ensemble.save_to_preset(tmp_path / "folder")
    assert load_task_model(tmp_path / "folder").no_answer_threshold == pytest.approx(0.9)
    members[1].no_answer_threshold = None
    assert AnswererEnsemble(members).no_answer_threshold is None


def test_taggers_with_other_labels_make_no_ensemble():
    one, = members_of(ElectraTokenClassifier, count=1, labels=["N", "V"])
    other, = members_of(ElectraTokenClassifier, count=1, labels=["V", "N"])
    with pytest.raises(InputError, match="must be of one task, with the same labels and vocabulary"):
        TaggerEnsemble([one, other])


def _choices(path, seed):
    random, rows = np.random.default_rng(seed), []
    for _ in range(24):
        right = int(random.integers(2))
        rows.append({"text": "the film", "x": ("good", "bad")[right], "y": ("bad", "good")[right], "label": right})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


TAGS, ANSWERS = TokenClassification(token_column=0, tag_column=1), QuestionAnswering()


@pytest.mark.parametrize("task, write, split", [
    (TAGS, lambda path, seed: write_columns(path, *moods(24, seed=seed)), "validation"),
    (ANSWERS, lambda path, seed: write_squad(path, *asked_moods(24, seed=seed)), "validation"),
    (ANSWERS, lambda path, seed: write_squad(path, *asked_moods(24, seed=seed)), "test"),
    (MultipleChoice(("text",), ("x", "y"), "label"), _choices, "validation")])
def test_a_run_keeps_its_trials_as_one_model_and_scores_it(task, write, split, tmp_path):
    network = save_networks(tmp_path / "networks") / "discriminator"
    ending = "jsonl" if isinstance(task, MultipleChoice) else "txt"
    path, test = (write(tmp_path / f"{name}.{ending}", seed) for seed, name in enumerate(("train", "test")))
    reported = test if split == "test" else path
    result = finetune(FineTuningConfig(epochs=1, batch_size=8, sequence_length=24), task=task, train=path,
                      validation=path, test=test if split == "test" else None, model=network, output=tmp_path / "run",
                      trials=Trials(num_trials=2, ensemble=True))
    assert result.ensemble.keys() == getattr(result.best, split).keys()
    ensemble = load_task_model(tmp_path / "run" / "ensemble")
    assert len(ensemble.members) == 2
    again = evaluate(tmp_path / "run" / "ensemble", reported, task=task, output=tmp_path / "scores")
    if task is ANSWERS and split == "validation":
        # The run's own score of the set that chose the threshold is taken without it: each half has that of the other.
        assert 0 <= ensemble.no_answer_threshold <= 1
        tuned = task_of(task)
        tuned.unsettle(ensemble)
        again = tuned.scores(ensemble, tuned.examples(ensemble, tuned.read(reported))).numbers()
    assert again == pytest.approx(result.ensemble, abs=1e-6)
    assert "What the answers rest on" not in (tmp_path / "scores" / "report.html").read_text()
