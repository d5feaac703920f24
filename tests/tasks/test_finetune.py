"""A fine-tuning run: the best weights are kept, the same call gives the same weights, a dead run is named."""

import json
import shutil

import numpy as np
import pytest

from electra_tf.config import AugmentationConfig, FineTuningConfig, replace
from electra_tf.errors import InputError
from electra_tf.files import sha256_of
from electra_tf.progress import Progress
from electra_tf.tasks import finetune as finetune_module
from electra_tf.tasks import finetuning_loop
from electra_tf.tasks.classification_scores import classification_scores
from electra_tf.tasks.classification_task import ClassificationTask
from electra_tf.tasks.fine_tuning_task import Examples
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.finetuning_loop import _evaluation_steps, tune
from electra_tf.tasks.options import TextClassification, Trials
from electra_tf.tasks.task_models import load_task_model
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.vocabulary import Vocabulary
from tests.tasks.tiny import reviews, save_networks, write_tsv

CONFIG = FineTuningConfig(sequence_length=20, batch_size=16, epochs=3.5, learning_rate=3e-3, dropout=0.0,
                          evaluations_per_epoch=2, layer_decay=0.9)
TASK = TextClassification(text_columns=("sentence",), label_column="label")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Arguments of `finetune` for three small sets and a pretraining run with random weights."""
    folder = tmp_path_factory.mktemp("data")
    sets = {name: str(write_tsv(folder / f"{name}.tsv", *reviews(count, seed=seed)))
            for name, count, seed in (("train", 310, 0), ("validation", 40, 1), ("test", 30, 2))}
    return {**sets, "task": TASK, "model": str(save_networks(folder / "run")), "random_weights": True}


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    return finetune(CONFIG, **data, output=tmp_path_factory.mktemp("tuned") / "run")


def records(folder, event, *, seed=0):
    lines = (folder / "trials" / str(seed) / "log.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["event"] == event]


def test_the_weights_that_score_best_are_kept(finished, data):
    evaluations = records(finished.folder, "validation")
    assert [record["step"] for record in evaluations] == list(range(10, 71, 10))  # 310 texts are 20 steps an epoch
    best = max(evaluations, key=lambda record: record["accuracy"])
    assert evaluations[0]["accuracy"] < best["accuracy"] == finished.best.validation["accuracy"]
    assert best["step"] == finished.best.best_step
    classifier = ElectraTextClassifier.from_preset(finished.folder / "model")
    for split, scores in (("validation", finished.best.validation), ("test", finished.best.test)):
        texts, labels = reviews(*{"validation": (40,), "test": (30,)}[split], seed={"validation": 1, "test": 2}[split])
        predictions = classifier.predict(texts, verbose=0).argmax(axis=1)
        again = classification_scores(classifier.label_numbers(labels), predictions, num_labels=2)
        assert again.numbers() == scores and len(labels) == again.confusion.sum()
    assert finished.best.validation["accuracy"] > 0.9 and not finished.best.collapsed


def test_the_best_weights_are_those_of_the_first_highest_score(data):
    classifier = ElectraTextClassifier.from_preset(f"{data['model']}/discriminator", labels=["neg", "pos"], dropout=0)
    config = replace(CONFIG, epochs=4, evaluations_per_epoch=1)
    classifier.compile(settings=config, run_eagerly=True)
    texts, labels = reviews(7, seed=0)
    examples = Examples(classifier.encode(texts), classifier.label_numbers(labels))
    confusions = iter([[[3, 4], [0, 0]], [[5, 1], [0, 1]], [[6, 0], [1, 0]], [[5, 1], [0, 1]]])
    weights = []

    def scripted_score():
        weights.append(classifier.classifier.kernel.numpy())
        true, predicted = zip(*[(row, column) for row, counts in enumerate(next(confusions))
                                for column, count in enumerate(counts) for _ in range(count)], strict=True)
        return classification_scores(true, predicted, num_labels=2)

    with Progress(4, unit="steps", description="Fine-tuning") as progress:
        tuning = tune(classifier, config, train=examples, score=scripted_score, metric="macro_f1",
                      progress=progress, log=lambda record: None)
    assert (tuning.best_step, tuning.best_epoch, tuning.scores.accuracy) == (2, 2.0, 6 / 7)
    assert len(weights) == 4 and np.abs(weights[1] - weights[3]).max() > 1e-5
    np.testing.assert_array_equal(classifier.classifier.kernel.numpy(), weights[1])


@pytest.mark.parametrize("patience, steps_done, ended_by", [
    (1, 3, "patience"), (2, 6, "patience"), (3, 7, "all updates"), (0, 7, "all updates")])
def test_a_run_ends_when_no_new_best_was_found_often_enough(data, patience, steps_done, ended_by):
    classifier = ElectraTextClassifier.from_preset(f"{data['model']}/discriminator", labels=["neg", "pos"], dropout=0)
    config = replace(CONFIG, epochs=7, evaluations_per_epoch=1, patience=patience)
    classifier.compile(settings=config, run_eagerly=True)
    examples = Examples(classifier.encode(["good", "bad"]), np.array([1, 0], np.int32))
    wrong = iter([4, 2, 3, 1, 1, 2, 3])
    said = []

    def scripted_score():
        right = 10 - next(wrong)
        return classification_scores([1] * 10, [1] * right + [0] * (10 - right), num_labels=2)

    with Progress(7, unit="steps", description="Fine-tuning") as progress:
        progress.say = said.append
        tuning = tune(classifier, config, train=examples, score=scripted_score, metric="accuracy",
                      progress=progress, log=lambda record: None)
    assert (tuning.steps_done, tuning.ended_by) == (steps_done, ended_by)
    assert any(f"{patience} evaluations without a new best" in line for line in said) == (ended_by == "patience")


def test_the_result_names_split_metric_seed_and_what_it_was_made_from(finished, data):
    result = json.loads((finished.folder / "result.json").read_text())
    assert (result["split"], result["metric"], result["best_seed"]) == ("test", "accuracy", 0)
    trial, = result["trials"]
    assert trial["seed"] == 0 and trial["metrics"] == finished.best.test
    assert result["median"] == result["mean"] == trial["score"] == finished.best.test["accuracy"]
    assert result["examples"] == {"train": 310, "validation": 40, "test": 30} and result["std"] is None
    assert result["inputs"]["model"] == sha256_of(f"{data['model']}/discriminator/model.safetensors")
    assert trial["ended_by"] == "all updates"
    assert trial["examples_per_second"] > 0 and len(result["settings_hash"]) == 64
    assert (finished.folder / "trials" / "0" / "scores.png").stat().st_size > 1000
    settings = json.loads((finished.folder / "settings.json").read_text())
    assert settings["learning_rate"] == 3e-3 and settings["train"] == data["train"]


def test_a_finished_run_is_refused_and_kept(finished, data):
    before = sorted(finished.folder.rglob("*"))
    with pytest.raises(InputError, match="holds a finished run with these settings; its model is"):
        finetune(CONFIG, **data, output=finished.folder)
    with pytest.raises(InputError, match="holds a run with other settings .*seed is 0 there and 1 here"):
        finetune(replace(CONFIG, seed=1), **data, output=finished.folder)
    assert sorted(finished.folder.rglob("*")) == before


def test_a_killed_trial_is_done_again_from_its_start_with_the_same_weights(finished, data, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "run")
    (folder / "result.json").unlink()
    (folder / "trials" / "0" / "result.json").unlink()
    shutil.move(folder / "model", folder / "trials" / "0" / "model")
    (folder / "trials" / "0" / "model" / "model.safetensors").write_bytes(b"half")
    moved = str(shutil.copy(data["train"], tmp_path / "moved.tsv"))
    again = finetune(CONFIG, **{**data, "train": moved}, output=folder)
    assert again.best.validation == finished.best.validation
    assert len(records(folder, "validation")) == 7
    weights = [sha256_of(run / "model" / "model.safetensors") for run in (folder, finished.folder)]
    assert weights[0] == weights[1]


def test_a_dead_run_is_named_and_given_up_halfway(data, tmp_path, capsys):
    # At this rate the first updates saturate everything.
    config = replace(CONFIG, learning_rate=0.5, epochs=12, evaluations_per_epoch=1)
    result = finetune(config, **{**data, "test": None}, output=tmp_path / "run")
    assert result.best.collapsed and result.best.test is None
    assert "WARNING: collapsed run: constant prediction on the validation set" in capsys.readouterr().err
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    trial, = written["trials"]
    assert (trial["collapsed"], trial["steps_done"], trial["train_steps"]) == ("constant prediction", 120, 240)
    assert trial["ended_by"] == "collapse"
    assert [record["message"][:8] for record in records(tmp_path / "run", "warning")] == ["collapse"]


@pytest.mark.parametrize("changes, message", [
    ({"trials": Trials(folds=2)}, "a validation set and folds exclude each other; give one of them"),
    ({"validation": None}, "there is no validation set; give one, or folds of the training set"),
    ({"metric": "f2"}, "metric='f2' is not known; choose one of accuracy, macro_f1, matthews"),
    ({"model": "no/model"}, "no/model is not a model folder"),
    ({"validation": "unknown.tsv"}, "unknown.tsv, line 3: label 'mixed' is unknown; expected one of neg, pos"),
    ({"train": "constant.tsv"}, "constant.tsv: the labels are all pos; a classifier needs two or more"),
    ({"frozen_layers": 3}, "frozen_layers=3: the encoder has 2 layers"),
    ({"augmentation": AugmentationConfig(insertion_rate=0.1, new_tokens="generator", generator="no/generator")},
     "no/generator is not a model folder"),
])
def test_what_cannot_work_is_refused_before_any_work(data, tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    write_tsv(tmp_path / "unknown.tsv", ["a", "b"], ["pos", "mixed"])
    write_tsv(tmp_path / "constant.tsv", ["a", "b"], ["pos", "pos"])
    settings = {name: value for name, value in changes.items() if hasattr(CONFIG, name)}
    arguments = {name: value for name, value in changes.items() if name not in settings}
    with pytest.raises(InputError, match=message):
        finetune(replace(CONFIG, **settings), **{**data, **arguments}, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("train_steps, interval, expected", [
    (25, 5, {5, 10, 15, 20, 25}), (10, 10, {10}), (7, 10, {7}), (25, 10, {10, 20, 25}), (3, 0.5, {1, 2, 3}),
    (10, 10 / 3, {3, 7, 10})])
def test_evaluations_are_spread_evenly_and_end_the_run(train_steps, interval, expected):
    assert _evaluation_steps(train_steps, interval) == expected


def test_the_loss_of_a_constant_guess():
    examples = Examples([None] * 4, np.array([0, 1, 1, 1]))
    loss = -np.log(0.25) / 4 - 3 * np.log(0.75) / 4
    assert ClassificationTask(TASK).constant_guess_loss(examples) == pytest.approx(loss)


def test_trials_differ_in_their_seed_and_the_best_model_is_kept(data, tmp_path):
    config = replace(CONFIG, epochs=1.0, learning_rate=1e-3)
    result = finetune(config, **data, output=tmp_path / "run", trials=Trials(num_trials=3))
    assert [trial.seed for trial in result.trials] == [0, 1, 2] and result.split == "test"
    assert result.best == max(result.trials, key=lambda trial: trial.validation["accuracy"])
    written = json.loads((result.folder / "result.json").read_text())
    scores = [trial["score"] for trial in written["trials"]]
    assert scores == result.scores and written["median"] == np.median(scores)
    assert written["std"] == pytest.approx(np.std(scores, ddof=1))
    losses = [tuple(record["train_loss"] for record in records(result.folder, "validation", seed=seed))
              for seed in range(3)]
    assert [len(of_seed) for of_seed in losses] == [2] * 3 and len(set(losses)) == 3
    assert not list((result.folder / "trials").glob("*/model"))
    alone = finetune(replace(config, seed=result.best.seed), **data, output=tmp_path / "alone")
    assert sha256_of(alone.folder / "model/model.safetensors") == sha256_of(result.folder / "model/model.safetensors")


def test_finished_trials_of_a_killed_run_are_kept(data, tmp_path, monkeypatch):
    config = replace(CONFIG, epochs=1.0)
    whole = finetune(config, **data, output=tmp_path / "whole", trials=Trials(num_trials=2))
    begun, new_model = [], ClassificationTask.new_model

    def killed_in_trial_1(task, folder, **arguments):
        begun.append(len(begun))
        if len(begun) == 3:  # the first one only encodes
            raise KeyboardInterrupt
        return new_model(task, folder, **arguments)

    monkeypatch.setattr(ClassificationTask, "new_model", killed_in_trial_1)
    with pytest.raises(KeyboardInterrupt):
        finetune(config, **data, output=tmp_path / "run", trials=Trials(num_trials=2))
    again = finetune(config, **data, output=tmp_path / "run", trials=Trials(num_trials=2))
    assert len(begun) == 5  # one to encode, one for the second trial
    assert [trial.validation for trial in again.trials] == [trial.validation for trial in whole.trials]
    weights = [sha256_of(folder / "model" / "model.safetensors") for folder in (again.folder, whole.folder)]
    assert weights[0] == weights[1]


def test_predictions_of_the_reported_set_are_written(finished, data):
    lines = (finished.folder / "trials" / "0" / "predictions.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    texts, labels = reviews(30, seed=2)
    assert [row["text"] for row in rows] == texts and [row["label"] for row in rows] == labels
    right = sum(row["prediction"] == row["label"] for row in rows)
    assert right / 30 == pytest.approx(finished.best.test["accuracy"])


ONE_EVALUATION = replace(CONFIG, epochs=1.0, evaluations_per_epoch=1)


def test_a_collapsed_trial_is_done_again_with_a_seed_of_its_own_and_both_are_told(data, tmp_path, monkeypatch):
    judged = []

    def collapse_of(scores, **others):  # each trial is judged at its evaluation, and at its end
        judged.append(scores)
        return "constant prediction" if len(judged) <= 2 else None

    monkeypatch.setattr(finetuning_loop, "collapse_of", collapse_of)
    result = finetune(ONE_EVALUATION, **data, output=tmp_path / "run", trials=Trials(num_trials=2, max_restarts=1))
    assert [trial.seed for trial in result.trials] == [2, 1] and not any(trial.collapsed for trial in result.trials)
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [(trial["trial"], trial["attempt"], trial["seed"], trial["collapsed"]) for trial in written["trials"]] == [
        (0, 0, 0, "constant prediction"), (0, 1, 2, False), (1, 0, 1, False)]
    scores = {trial["seed"]: trial["score"] for trial in written["trials"]}
    assert written["median"] == pytest.approx((scores[1] + scores[2]) / 2) and written["restarts"] == 1
    assert written["without_restarts"]["median"] == pytest.approx((scores[0] + scores[1]) / 2)
    assert result.best.seed in (1, 2)


def test_folds_validate_every_row_once_without_training_on_it(data, tmp_path, monkeypatch):
    seen, run = [], finetune_module.run_trials

    def run_trials(settings, *arguments):
        seen.extend(setting.sets for setting in settings)
        return run(settings, *arguments)

    monkeypatch.setattr(finetune_module, "run_trials", run_trials)
    result = finetune(ONE_EVALUATION, **{**data, "validation": None, "test": None}, output=tmp_path / "run",
                      trials=Trials(folds=3))
    whole = sorted(zip(*reviews(310, seed=0), strict=True))
    assert sorted(row for sets in seen for row in zip(*sets["validation"].columns, sets["validation"].labels,
                                                      strict=True)) == whole
    for sets in seen:
        parts = [row for name in ("train", "validation")
                 for row in zip(*sets[name].columns, sets[name].labels, strict=True)]
        assert sorted(parts) == whole
    assert len(result.trials) == 3 and result.split == "validation"
    assert [trial.seed for trial in result.trials] == [0, 1, 2]


def test_an_ensemble_of_the_trials_is_scored_and_kept_as_one_model(data, tmp_path):
    result = finetune(ONE_EVALUATION, **data, output=tmp_path / "run", trials=Trials(num_trials=2, ensemble=True))
    ensemble = load_task_model(tmp_path / "run" / "ensemble")
    assert len(ensemble.members) == 2
    texts, labels = reviews(30, seed=2)
    answers = ensemble.predict(texts, verbose=0).argmax(axis=1)
    scores = classification_scores(ensemble.label_numbers(labels), answers, num_labels=2)
    assert result.ensemble == scores.numbers()
    assert json.loads((tmp_path / "run" / "result.json").read_text())["ensemble"] == result.ensemble
    assert (tmp_path / "run" / "model").is_dir() and not list((tmp_path / "run" / "trials").glob("*/model"))


def test_the_report_opens_without_a_network(finished):
    page = (finished.folder / "report.html").read_text()
    assert "Learning curves" in page and "src=\"http" not in page and "href=\"http" not in page


@pytest.mark.parametrize("settings, message", [
    ({"num_trials": 0}, "num_trials=0 must be a whole number from 1 up"),
    ({"max_restarts": -1}, "max_restarts=-1 must be a whole number from 0 up"),
    ({"folds": 1}, "folds=1 must be 0, or 2 and more"),
    ({"folds": 3, "num_trials": 2}, "num_trials=2: with --folds each fold is one trial; leave it out"),
    ({"ensemble": True}, "ensemble=True needs two trials or more")])
def test_trials_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Trials(**settings)


def test_a_preset_starts_from_random_weights_with_a_given_vocabulary(data, tmp_path):
    sets = {name: data[name] for name in ("train", "validation", "task")}
    config = replace(CONFIG, epochs=0.2, evaluations_per_epoch=1)
    vocabulary = f"{data['model']}/discriminator/vocabulary"
    result = finetune(config, **sets, model="tiny", vocabulary=vocabulary, output=tmp_path / "run")
    settings = json.loads((tmp_path / "run" / "result.json").read_text())["settings"]
    assert settings["model"] == "tiny" and settings["random_weights"] and settings["vocabulary"] == vocabulary
    classifier = ElectraTextClassifier.from_preset(result.folder / "model")
    assert classifier.encoder.config.num_layers == 4 and classifier.encoder.config.hidden_size == 128
    assert np.std(classifier.encoder.embeddings.word_embeddings.numpy()) == pytest.approx(0.02, rel=0.2)


@pytest.mark.parametrize("changes, message", [
    ({"model": "tiny"}, "model='tiny' is a preset, which has no vocabulary; give --vocabulary=FOLDER"),
    ({"vocabulary": "somewhere"}, "has a vocabulary; leave --vocabulary out")])
def test_a_preset_and_a_vocabulary_belong_together(data, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        finetune(CONFIG, **{**data, **changes}, output=tmp_path / "run")


def test_a_preset_goes_on_with_its_own_vocabulary_alone(data, tmp_path):
    sets = {name: data[name] for name in ("train", "validation", "task")}
    config = replace(CONFIG, epochs=0.2, evaluations_per_epoch=1)
    vocabulary = Vocabulary.load(f"{data['model']}/discriminator/vocabulary")
    for name, pieces in (("one", vocabulary.pieces), ("same", vocabulary.pieces), ("other", (
            *vocabulary.pieces[:-2], *vocabulary.pieces[:-3:-1]))):
        Vocabulary(pieces).save(tmp_path / name)
    finetune(config, **sets, model="tiny", vocabulary=tmp_path / "one", output=tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()  # as a run that was killed
    with pytest.raises(InputError, match="inputs.vocabulary is '[0-9a-f]+' there and '[0-9a-f]+' here"):
        finetune(config, **sets, model="tiny", vocabulary=tmp_path / "other", output=tmp_path / "run")
    finetune(config, **sets, model="tiny", vocabulary=tmp_path / "same", output=tmp_path / "run")
    assert (tmp_path / "run" / "report.html").is_file()


def test_trials_on_the_same_sets_encode_them_once(data, tmp_path, monkeypatch):
    encoded, examples = [], ClassificationTask.examples
    monkeypatch.setattr(ClassificationTask, "examples", lambda task, model, rows: (
        encoded.append(rows.source) or examples(task, model, rows)))
    finetune(replace(CONFIG, epochs=0.1), **data, trials=Trials(num_trials=3), output=tmp_path / "run")
    assert sorted(encoded) == sorted(data[name] for name in ("train", "validation", "test") if data.get(name))
