"""A trial whose numbers are no longer finite counts as a collapsed one: told, restarted, and scored all the same."""

import json

import keras
import numpy as np
import pytest

from electra_tf.config import FineTuningConfig, replace
from electra_tf.errors import InputError
from electra_tf.progress import Progress
from electra_tf.tasks import finetuning_loop
from electra_tf.tasks.classification_scores import classification_scores
from electra_tf.tasks.fine_tuning_task import Examples
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.finetuning_loop import tune
from electra_tf.tasks.options import TextClassification, Trials
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.trial import Trial
from electra_tf.tasks.trials import best_trial
from tests.tasks.tiny import reviews, save_networks, write_tsv

CONFIG = FineTuningConfig(sequence_length=20, batch_size=16, epochs=1, evaluations_per_epoch=2, dropout=0.0)
# The first update makes numbers of which no layer can take the square.
BOUNDLESS = replace(CONFIG, learning_rate=1e35, warmup_proportion=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Arguments of `finetune` for two small sets and a pretraining run with random weights."""
    folder = tmp_path_factory.mktemp("data")
    sets = {name: str(write_tsv(folder / f"{name}.tsv", *reviews(count, seed=seed)))
            for name, count, seed in (("train", 90, 0), ("validation", 40, 1))}
    return {**sets, "task": TextClassification(("sentence",), "label"), "model": str(save_networks(folder / "run"))}


def strict_json(path):
    """The values of a .json file, or of each line of a .jsonl file, without NaN, which is no JSON."""
    def refuse(name):
        raise AssertionError(f"{path} holds {name}")
    text = path.read_text()
    parts = text.splitlines() if path.suffix == ".jsonl" else [text]
    return [json.loads(part, parse_constant=refuse) for part in parts]


def started(data, seed):
    """The model of a trial before its first update."""
    keras.utils.set_random_seed(seed)
    return ElectraTextClassifier.from_preset(f"{data['model']}/discriminator", labels=["neg", "pos"],
                                             sequence_length=20, dropout=0)


def test_a_trial_that_never_had_finite_numbers_is_told_and_scored_as_it_started(data, tmp_path, capsys):
    result = finetune(BOUNDLESS, **data, output=tmp_path / "run", trials=Trials(num_trials=2))
    written, = strict_json(tmp_path / "run" / "result.json")
    assert [(trial["collapsed"], trial["best_step"], trial["steps_done"], trial["ended_by"], trial["seed"])
            for trial in written["trials"]] == [("diverged", 0, 3, "divergence", seed) for seed in (0, 1)]
    assert written["collapsed"] == 2 and written["median"] == pytest.approx(np.mean(result.scores))
    texts, labels = reviews(40, seed=1)
    for seed, score in enumerate(result.scores):
        answers = started(data, seed).predict(texts, verbose=0).argmax(axis=1)
        assert score == np.mean(np.array(["neg", "pos"])[answers] == labels)
        assert strict_json(tmp_path / "run" / "trials" / str(seed) / "predictions.jsonl")
    kept = ElectraTextClassifier.from_preset(tmp_path / "run" / "model")
    for weight, expected in zip(kept.weights, started(data, result.best.seed).weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), expected.numpy())
    told = "collapsed run: diverged, as the loss at step 3 is nan; it is left with the weights that it started from"
    assert capsys.readouterr().err.count(f"WARNING: {told} (accuracy ") == 2
    warnings = strict_json(tmp_path / "run" / "trials" / "0" / "log.jsonl")
    assert [record["event"] for record in warnings] == ["warning"] and told in warnings[0]["message"]
    assert "diverged" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(InputError, match="holds a finished run"):  # and meets the same numbers no more
        finetune(BOUNDLESS, **data, output=tmp_path / "run", trials=Trials(num_trials=2))


def test_weights_that_the_update_before_an_evaluation_has_made_too_large_are_not_scored(data, tmp_path):
    # One update in each of two epochs: the loss is that of the weights before it.
    result = finetune(replace(BOUNDLESS, batch_size=90, epochs=2, evaluations_per_epoch=1), **data,
                      output=tmp_path / "run")
    assert (result.best.collapsed, result.best.best_step, result.best.steps_done) == ("diverged", 0, 1)
    log, = strict_json(tmp_path / "run" / "trials" / "0" / "log.jsonl")
    assert "diverged, as the weights at step 1 are not finite, or far too large" in log["message"]


def test_a_diverged_trial_is_done_again_with_another_seed(data, tmp_path, monkeypatch):
    asked, are_usable = [], finetuning_loop._are_usable

    def unusable_at_the_first_evaluation(weights):  # each trial asks when it begins, and at its evaluations
        asked.append(len(asked))
        return len(asked) != 2 and are_usable(weights)

    monkeypatch.setattr(finetuning_loop, "_are_usable", unusable_at_the_first_evaluation)
    result = finetune(replace(CONFIG, learning_rate=1e-3), **data, output=tmp_path / "run",
                      trials=Trials(max_restarts=1))
    written, = strict_json(tmp_path / "run" / "result.json")
    assert [(trial["seed"], trial["attempt"], trial["ended_by"]) for trial in written["trials"]] == [
        (0, 0, "divergence"), (1, 1, "all updates")]
    assert written["trials"][0]["collapsed"] == "diverged" and written["restarts"] == 1
    assert written["without_restarts"]["median"] == written["trials"][0]["score"]
    assert result.best.seed == 1


@pytest.fixture
def classifier(data):
    model = started(data, 0)
    model.compile(settings=replace(CONFIG, epochs=5, evaluations_per_epoch=1), run_eagerly=True)
    return model


def tuned(classifier, score, *, said=None, records=None):
    texts, labels = reviews(7, seed=0)
    examples = Examples(classifier.encode(texts), classifier.label_numbers(labels))
    said, records = [] if said is None else said, [] if records is None else records
    with Progress(5, unit="steps", description="Fine-tuning") as progress:
        progress.say = said.append
        return tune(classifier, classifier.settings, train=examples, score=score, metric="accuracy",
                    progress=progress, log=records.append)


def test_a_trial_that_diverges_later_keeps_the_best_weights_before(classifier):
    weights, said, records = [], [], []
    right = iter([6, 8, 7])

    def scripted_score():
        weights.append(classifier.classifier.kernel.numpy())
        hits = next(right)
        if hits == 7:  # after this evaluation, which is not the best, no number is finite
            classifier.classifier.kernel.assign(np.full_like(weights[-1], np.nan))
        return classification_scores([0, 1] * 5, ([0, 1] * 5)[:hits] + ([1, 0] * 5)[hits:], num_labels=2)

    tuning = tuned(classifier, scripted_score, said=said, records=records)
    assert (tuning.collapsed, tuning.best_step, tuning.steps_done, tuning.ended_by) == ("diverged", 2, 4, "divergence")
    assert tuning.scores.accuracy == 0.8 and tuning.best_epoch == 2.0
    np.testing.assert_array_equal(classifier.classifier.kernel.numpy(), weights[1])
    assert [record["event"] for record in records] == ["validation"] * 3 + ["warning"]
    assert ("diverged, as the loss at step 4 is nan; it is left with the weights of step 2 (accuracy 0.8000); it was "
            "stopped; try another --seed") in said[-1]


def test_weights_that_are_not_finite_to_begin_with_are_refused(classifier):
    classifier.classifier.kernel.assign(np.full_like(classifier.classifier.kernel.numpy(), np.inf))
    with pytest.raises(InputError, match="the weights to start from are not finite, .*; give another --model"):
        tuned(classifier, lambda: None)


def test_a_trial_that_never_learnt_is_not_the_best_while_another_did():
    def group(seed, best_step, accuracy):
        return [Trial(seed=seed, validation={"accuracy": accuracy}, test=None, best_step=best_step, best_epoch=0.0,
                      train_steps=40, steps_done=40, collapsed=None, ended_by="all updates", examples_per_second=1.0,
                      seconds=1.0)]
    assert best_trial([group(0, 0, 0.7), group(1, 40, 0.6), group(2, 20, 0.65)], "accuracy").seed == 2
    assert best_trial([group(0, 0, 0.5), group(1, 0, 0.7)], "accuracy").seed == 1
