"""Cross-validation of every task: each row is validated once, and what belongs together is never parted."""

import json

import numpy as np
import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.tasks import finetune as finetune_module
from electra_tf.tasks.finetune import finetune, task_of
from electra_tf.tasks.options import (
    MultiLabel,
    MultipleChoice,
    QuestionAnswering,
    Regression,
    TokenClassification,
    Trials,
)
from electra_tf.tasks.statistics.comparison import compare_results
from tests.tasks.question_answering import moods as questions
from tests.tasks.tagging import moods as sentences
from tests.tasks.tiny import BAD, GOOD

CONFIG = FineTuningConfig(sequence_length=20, batch_size=16, epochs=1.0, evaluations_per_epoch=1, dropout=0.0)
COUNT = 45


def tagged(folder):
    return sentences.write_columns(folder / "train.txt", *sentences.moods(COUNT, seed=0))


def asked(folder):
    """Each context has one to four questions, which are not side by side: as paragraphs of their own with one text."""
    _, contexts, answers = questions.moods(20, seed=0)
    places = np.random.default_rng(1).permutation(np.r_[np.arange(20), np.arange(20), 3, 3, 4, 4, 5])
    return questions.write_squad(folder / "train.json", ["a film"] * COUNT, [contexts[place] for place in places],
                                 [answers[place] for place in places])


def labelled(folder, label):
    random = np.random.default_rng(0)
    rows = [{"text": f"the film {number}", "ending0": str(random.choice(GOOD)), "ending1": str(random.choice(BAD)),
             "label": label(number)} for number in range(COUNT)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / "train.jsonl"


TASKS = {
    "tagging": (TokenClassification(), tagged),
    "questions": (QuestionAnswering(stride=4, beam_size=5, n_best=3), asked),
    "multiple_choice": (MultipleChoice(("text",), ("ending0", "ending1"), "label"),
                        lambda folder: labelled(folder, lambda number: number % 2)),
    # One of the sets of labels, and of the labels, stands in a single row.
    "multi_label": (MultiLabel(("text",), "label"),
                    lambda folder: labelled(folder, lambda number: "a|rare" if number == 7 else "ab"[number % 2])),
    "regression": (Regression(("text",), "label"), lambda folder: labelled(folder, lambda number: number / 4)),
}


def rows_of(rows):
    """Each row as one string."""
    if hasattr(rows, "questions"):
        return [str(question) for question in rows.questions]
    return list(map(str, zip(*((rows.words, rows.tags) if hasattr(rows, "words") else (*rows.columns, rows.labels)))))


class Dealt(Exception):
    """Ends a run when its rows are dealt and encoded."""


@pytest.fixture
def dealt(network, monkeypatch):
    """Function of a task and a file that returns the Setting of each of so many folds, without training."""
    seen = []

    def run_trials(settings, *_):
        seen.extend(settings)
        raise Dealt

    monkeypatch.setattr(finetune_module, "run_trials", run_trials)

    def settings_of(task, path, *, folds):
        with pytest.raises(Dealt):
            finetune(CONFIG, task=task, train=path, model=network, output=path.parent / "run",
                     trials=Trials(folds=folds))
        assert len(seen) == folds
        return seen
    return settings_of


@pytest.mark.parametrize("name", TASKS)
def test_every_row_is_validated_once_and_never_where_it_was_trained_on(tmp_path, dealt, name):
    task, write = TASKS[name]
    path = write(tmp_path)
    seen = [setting.sets for setting in dealt(task, path, folds=3)]
    whole = sorted(rows_of(task_of(task).read(path)))
    assert len(whole) == COUNT
    assert sorted(row for sets in seen for row in rows_of(sets["validation"])) == whole
    for sets in seen:
        assert sorted(rows_of(sets["train"]) + rows_of(sets["validation"])) == whole
        assert 13 <= len(sets["validation"]) <= 17


@pytest.mark.filterwarnings("ignore:.*Even though the `tf.config.experimental_run_functions_eagerly` option is set")
@pytest.mark.parametrize("name", ["tagging", "questions"])
def test_result_and_predictions_tell_of_each_fold(network, tmp_path, eagerly, name):
    task, write = TASKS[name]
    path = write(tmp_path)
    result = finetune(CONFIG, task=task, train=path, model=network, output=tmp_path / "run", trials=Trials(folds=2))
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["split"] == "validation" and written["num_trials"] == 2
    rows, answered = task_of(task).read(path), []
    for trial in written["trials"]:
        assert trial["score"] == trial["metrics"][result.metric]
        lines = (tmp_path / "run" / "trials" / str(trial["seed"]) / "predictions.jsonl").read_text().splitlines()
        answered += [record.get("id", record.get("words")) for record in map(json.loads, lines)]
        assert abs(len(lines) - COUNT / 2) < 3
    asked_for = [question.id for question in rows.questions] if name == "questions" else rows.words
    assert sorted(answered) == sorted(asked_for)
    assert written["mean"] == pytest.approx(np.mean([trial["score"] for trial in written["trials"]]))
    comparison = compare_results(tmp_path / "run", tmp_path / "run")
    assert (comparison.folds, comparison.examples, comparison.test.differing) == (2, COUNT, 0)


def test_questions_on_one_text_are_in_one_fold(tmp_path):
    rows = task_of(QuestionAnswering()).read(asked(tmp_path))
    folds = {}
    for question, fold in zip(rows.questions, rows.folds(4, seed=0), strict=True):
        folds.setdefault(question.context, set()).add(int(fold))
    assert all(len(of_text) == 1 for of_text in folds.values())
    assert set.union(*folds.values()) == {0, 1, 2, 3}


@pytest.mark.parametrize("name", TASKS)
def test_folds_follow_the_seed(tmp_path, name):
    task, write = TASKS[name]
    rows = task_of(task).read(write(tmp_path))
    np.testing.assert_array_equal(rows.folds(3, seed=1), rows.folds(3, seed=1))
    assert (rows.folds(3, seed=1) != rows.folds(3, seed=2)).any()


def test_a_type_of_one_sentence_alone_is_missed_in_its_fold_and_not_refused(tmp_path, dealt):
    words, tags = sentences.moods(20, seed=0)
    path = sentences.write_columns(tmp_path / "train.txt", [*words, ["a", "scene"]], [*tags, ["O", "B-RARE"]])
    settings = dealt(TokenClassification(), path, folds=2)
    assert [sum("B-RARE" in tags for tags in setting.sets["train"].tags) for setting in settings] in ([0, 1], [1, 0])
    assert all("S-RARE" in setting.new_model(0).labels for setting in settings)


@pytest.mark.parametrize(("name", "what"), [
    ("tagging", "rows, and there are 45"), ("questions", "texts or other groups that stay together, and there are 20")])
def test_more_folds_than_can_be_dealt_are_refused_before_any_work(network, tmp_path, name, what):
    task, write = TASKS[name]
    with pytest.raises(InputError, match=f"folds=46 needs as many {what}; give fewer folds"):
        finetune(CONFIG, task=task, train=write(tmp_path), model=network, output=tmp_path / "run",
                 trials=Trials(folds=46))
    assert not (tmp_path / "run").exists()
