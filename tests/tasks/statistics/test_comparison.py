"""Two runs are compared in plain words; what cannot be compared is refused with file and line."""

import json
import subprocess
import sys

import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.statistics.comparison import compare_results
from electra_tf.tasks.statistics.paired_metrics import paired_metric
from tests.test_architecture import ROOT

NAMES = np.array(["neg", "pos", "so so"])


def write_trial(folder, lines):
    folder.mkdir(parents=True)
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def write_run(folder, *trials, **result):
    """A run folder with trials of the seeds 7, 8, ..."""
    for seed, lines in enumerate(trials, start=7):
        write_trial(folder / "trials" / str(seed), lines)
    result = {"trials": [{"seed": seed} for seed in range(7, 7 + len(trials))], **result}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return folder


def answers(right_share, *, rows=300, seed=0):
    """Lines of a model that is right in about this share of the rows."""
    labels = np.random.default_rng(5).integers(3, size=rows)
    random = np.random.default_rng(seed)
    shifted = (labels + random.integers(1, 3, size=rows)) % 3
    predicted = np.where(random.random(rows) < right_share, labels, shifted)
    return [{"label": str(true), "prediction": str(answer), "exact_match": bool(true == answer)}
            for true, answer in zip(NAMES[labels], NAMES[predicted])]


@pytest.fixture
def runs(tmp_path):
    result = {"task": "text_classification", "metric": "accuracy", "split": "test"}
    return (write_run(tmp_path / "good", answers(0.85, seed=1), **result),
            write_run(tmp_path / "poor", answers(0.6, seed=2), **result))


def share_right(lines):
    return np.mean([line["label"] == line["prediction"] for line in lines])


def test_a_clear_difference_is_told_in_words(runs):
    found = compare_results(*runs)
    assert (found.metric, found.split, found.examples) == ("accuracy", "test", 300)
    assert found.scores == ([share_right(answers(0.85, seed=1))], [share_right(answers(0.6, seed=2))])
    assert found.test.p_value < 0.001
    low, high = found.difference_interval
    assert 0 < low < found.test.difference < high
    # The textbook interval of a share: 1.96 standard errors to each side.
    [score], (low, high) = found.scores[0], found.intervals[0]
    error = np.sqrt(score * (1 - score) / 300)
    assert low == pytest.approx(score - 1.96 * error, abs=0.006)
    assert high == pytest.approx(score + 1.96 * error, abs=0.006)
    text = str(found)
    assert f"{runs[0]}: accuracy {found.scores[0][0]:.4f}, 95 % interval" in text
    assert f"on examples like these {runs[0]} is better" in text
    assert "not two ways of training" in text
    assert str(compare_results(*reversed(runs))).count(f"{runs[0]} is better") == 1


def test_the_paired_interval_keeps_the_examples_together(runs):
    """Two runs that are wrong at the same places: the difference is known far better than either score."""
    lines = answers(0.7, seed=3)
    almost = [dict(line) for line in lines]
    almost[0]["prediction"] = next(name for name in NAMES.tolist() if name != almost[0]["prediction"])
    first, second = (write_trial(runs[0].parent / name, rows) for name, rows in (("one", lines), ("almost", almost)))
    found = compare_results(first, second, metric="accuracy")
    assert np.ptp(found.difference_interval) < np.ptp(found.intervals[0]) / 5
    assert found.test.is_exact and found.test.p_value == 1.0
    assert "do not show that one is better" in str(found)


def test_equal_runs_have_nothing_to_tell_apart(runs):
    assert "nothing to tell apart" in str(compare_results(runs[0], runs[0]))


def test_the_numbers_are_ready_for_json(runs):
    numbers = json.loads(json.dumps(compare_results(*runs).numbers()))
    assert numbers["test"]["p_value"] < 0.001 and len(numbers["difference_interval"]) == 2


def test_macro_f1_is_the_mean_of_the_labels_f1(runs):
    found = compare_results(*runs, metric="macro_f1")
    lines = answers(0.85, seed=1)
    f1 = []
    for name in NAMES:
        hits = sum(line["label"] == line["prediction"] == name for line in lines)
        f1.append(2 * hits / sum((line["label"] == name) + (line["prediction"] == name) for line in lines))
    assert found.scores[0] == pytest.approx([np.mean(f1)])


def test_a_number_of_the_lines_is_a_metric(runs):
    by_name, by_number = (compare_results(*runs, metric=metric) for metric in ("accuracy", "exact_match"))
    assert by_number.scores == by_name.scores
    assert by_number.test.p_value == by_name.test.p_value


def test_spans_are_compared_as_sets():
    lines = [{"label": [[0, 3, "PER"], [5, 9, "ORG"]], "prediction": [[0, 3, "PER"]]},
             {"label": [], "prediction": [[2, 4, "LOC"]]}, {"label": [[1, 2, "LOC"]], "prediction": [[1, 2, "LOC"]]}]
    metric = paired_metric("f1", [lines], [lines])
    assert metric.first.tolist() == [[[1, 1, 2]], [[0, 1, 0]], [[1, 1, 1]]]
    assert metric.score(metric.first) == pytest.approx(2 * 2 / (3 + 3))
    assert metric.score(metric.first[:0]) == 0.0


def test_several_labels_have_the_scores_of_their_task():
    lines = [{"label": ["a", "b"], "prediction": ["b"]}, {"label": [], "prediction": ["c"]},
             {"label": ["c"], "prediction": ["c"]}]
    # a: nothing found; b: 1 of 1; c: one right, one too many
    by_name = {"micro_f1": 2 * 2 / (3 + 3), "macro_f1": (0 + 1 + 2 / 3) / 3, "subset_accuracy": 1 / 3}
    for name, expected in by_name.items():
        metric = paired_metric(name, [lines], [lines])
        assert metric.score(metric.first) == pytest.approx(expected)


def test_numbers_are_compared_by_their_correlations():
    random = np.random.default_rng(1)
    truth = random.normal(size=40)
    answers_of_two = [truth + random.normal(size=40), np.exp(truth)]
    trials = [[[{"label": float(label), "prediction": float(answer)} for label, answer in zip(truth, answers)]]
              for answers in answers_of_two]
    metric = paired_metric("pearson", *trials)
    assert metric.score(metric.first) == pytest.approx(np.corrcoef(truth, answers_of_two[0])[0, 1])
    assert paired_metric("spearman", *trials).score(metric.second) == pytest.approx(1.0)
    assert metric.score(np.repeat(metric.first[:1], 5, axis=0)) == 0.0


def test_runs_of_several_trials_are_compared_by_their_means(tmp_path):
    seeds = {"good": (1, 2, 3), "poor": (4, 5, 6)}
    first, second = (write_run(tmp_path / name, *(answers(share, rows=80, seed=seed) for seed in seeds[name]),
                               task="text_classification", metric="accuracy", split="test")
                     for name, share in (("good", 0.8), ("poor", 0.6)))
    found = compare_results(first, second)
    means = [np.mean([share_right(answers(share, rows=80, seed=seed)) for seed in seeds[name]])
             for name, share in (("good", 0.8), ("poor", 0.6))]
    assert found.test.difference == pytest.approx(means[0] - means[1])
    assert "mean of 3 trials" in str(found) and "spread of the trials" in str(found)
    # Exchanging an example exchanges it in all trials: with one trial thrice, the test is that of the one.
    lines = answers(0.8, rows=80, seed=1), answers(0.6, rows=80, seed=4)
    thrice = compare_results(*(write_run(tmp_path / f"thrice{place}", one, one, one, metric="accuracy")
                               for place, one in enumerate(lines)))
    once = compare_results(first / "trials" / "7", second / "trials" / "7")
    assert once.metric == "accuracy" and once.split == "test"
    assert (thrice.test.p_value, thrice.test.differing) == (once.test.p_value, once.test.differing)
    assert thrice.difference_interval == pytest.approx(once.difference_interval)


def folded_run(folder, lines, *, ends=(110, 200), seed=7, **result):
    """A run whose trials are folds: parts of the lines, up to each of the ends and the last one to the end."""
    parts = np.split(np.array(lines, object), ends)
    settings = {"folds": len(parts), "seed": seed}
    return write_run(folder, *map(list, parts), **{"task": "text_classification", "metric": "accuracy",
                                                  "split": "validation", "settings": settings, **result})


def test_folds_together_are_one_answer_to_each_example(tmp_path):
    lines = answers(0.7, seed=1), answers(0.6, seed=2)
    folded = compare_results(*(folded_run(tmp_path / f"folded{place}", of_run) for place, of_run in enumerate(lines)))
    whole = compare_results(*(write_trial(tmp_path / f"whole{place}", of_run) for place, of_run in enumerate(lines)),
                            metric="accuracy")
    assert (folded.folds, whole.folds, folded.examples) == (3, 0, 300)
    assert (folded.scores, folded.intervals, folded.difference_interval, folded.test) == (
        whole.scores, whole.intervals, whole.difference_interval, whole.test)
    # Of all answers at once, which is not the mean of the folds.
    [first_score], _ = folded.scores
    of_folds = np.mean([share_right(part) for part in (lines[0][:110], lines[0][110:200], lines[0][200:])])
    assert first_score == share_right(lines[0]) and abs(first_score - of_folds) > 1e-4
    text = str(folded)
    assert f"folded0: accuracy {folded.scores[0][0]:.4f} of the answers of 3 folds together, 95 % interval" in text
    assert "Each example was answered by a model that was not trained on it" in text
    assert "two tuned models" not in text and "mean of" not in text
    assert folded.numbers()["folds"] == 3


def test_folds_that_answered_a_test_set_are_trials(tmp_path):
    parts = [answers(0.7, rows=80, seed=seed) for seed in (1, 2)]
    run = write_run(tmp_path / "run", *parts, metric="accuracy", split="test", settings={"folds": 2, "seed": 7})
    found = compare_results(run, run)
    assert (found.folds, found.examples, found.scores[0]) == (0, 80, list(map(share_right, parts)))


def test_a_restarted_fold_takes_its_own_place(tmp_path):
    lines = answers(0.7)
    trials = [{"seed": 7, "trial": 0, "attempt": 0}, {"seed": 9, "trial": 0, "attempt": 1},
              {"seed": 8, "trial": 1, "attempt": 0}]
    restarted = write_run(tmp_path / "restarted", answers(0.1)[:140], lines[140:], lines[:140], trials=trials,
                          metric="accuracy", split="validation", settings={"folds": 2, "seed": 7})
    assert compare_results(restarted, write_trial(tmp_path / "whole", lines)).scores == (
        [share_right(lines)], [share_right(lines)])


@pytest.mark.parametrize(("settings", "words"), [
    ({"folds": 2, "seed": 7}, "answers of 3 folds dealt with seed 7, .*other the answers of 2 folds dealt with seed 7"),
    ({"folds": 3, "seed": 8}, "answers of 3 folds dealt with seed 7, .*other the answers of 3 folds dealt with seed 8"),
    ({"folds": 0, "seed": 7}, "answers of 3 folds dealt with seed 7, .*other answers without folds")])
def test_rows_in_other_folds_are_refused(tmp_path, settings, words):
    run = folded_run(tmp_path / "run", answers(0.7))
    other = folded_run(tmp_path / "other", answers(0.6, seed=3), settings=settings)
    with pytest.raises(InputError, match=f"{words}; give two runs with the same --folds, --seed and rows, or one fold"):
        compare_results(run, other)


def test_a_fold_and_a_whole_run_are_refused(tmp_path):
    run = folded_run(tmp_path / "run", answers(0.7))
    with pytest.raises(InputError, match="answers of 3 folds dealt with seed 7, .*trials/8 answers without folds"):
        compare_results(run, run / "trials" / "8")


def test_folds_of_another_set_are_refused(tmp_path):
    run, lines = folded_run(tmp_path / "run", answers(0.7)), answers(0.6, seed=3)
    shorter = folded_run(tmp_path / "shorter", lines[:-1])
    with pytest.raises(InputError, match="holds 300 predictions and .*shorter 299; give two runs that"):
        compare_results(run, shorter)
    lines[204] = {**lines[204], "label": "else"}
    with pytest.raises(InputError, match='other, prediction 205: label .* "else"; give two runs that'):
        compare_results(run, folded_run(tmp_path / "other", lines))


def test_restarted_attempts_do_not_count(tmp_path):
    trials = [{"seed": 7, "trial": 0, "attempt": 0}, {"seed": 8, "trial": 0, "attempt": 1}]
    restarted = write_run(tmp_path / "restarted", answers(0.1), answers(0.7), trials=trials, metric="accuracy")
    assert compare_results(restarted, restarted).scores[0] == [share_right(answers(0.7))]


@pytest.mark.parametrize(("change", "words"), [
    (lambda lines: lines[:-1], "holds 300 predictions and .* 299"),
    (lambda lines: [*lines[:4], {**lines[4], "label": "else"}, *lines[5:]], 'prediction 5: label .* "else"'),
])
def test_other_examples_are_refused(runs, change, words):
    other = write_trial(runs[0].parent / "other", change(answers(0.85, seed=1)))
    with pytest.raises(InputError, match=words):
        compare_results(runs[0], other)


@pytest.mark.parametrize(("text", "words"), [
    ('{"label": "a", "prediction": "b"}\n{"label": "a"}\n', "line 2: 'prediction' missing"),
    ('{"label": "a", "prediction": "b"}\n\n{"label": \n', "line 3, column 11: not JSON"),
    ('[1]\n', "line 1: 'label' and 'prediction' missing"),
    ("\n", "holds no predictions"),
])
def test_a_malformed_file_is_named_with_its_line(runs, text, words):
    path = runs[0].parent / "bad.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=f"bad.jsonl.*{words}"):
        compare_results(path, runs[0])


def test_what_cannot_be_compared_is_refused_in_one_sentence(runs):
    with pytest.raises(InputError, match=r"nowhere/?.*does not exist|predictions.jsonl does not exist"):
        compare_results(runs[0].parent / "nowhere", runs[0])
    with pytest.raises(InputError, match="metric=.bleu. cannot be taken .* accuracy, macro_f1, .*, exact_match"):
        compare_results(*runs, metric="bleu")
    of_dev = write_run(runs[0].parent / "dev", answers(0.85, seed=1), task="text_classification", split="validation")
    with pytest.raises(InputError, match="split is 'test' in .* and 'validation' in"):
        compare_results(runs[0], of_dev)
    of_two = write_run(runs[0].parent / "two", answers(0.85, seed=1), answers(0.85, seed=2))
    with pytest.raises(InputError, match="holds 1 trials and .* 2; give runs of equally many, or one trial of each"):
        compare_results(runs[0], of_two)
    alone = write_trial(runs[0].parent / "alone", answers(0.85, seed=1))
    with pytest.raises(InputError, match="--metric must be given"):
        compare_results(alone, runs[0])


def test_a_result_stands_for_its_folder(runs):
    for folders in (runs, [run / "trials" / "7" for run in runs]):
        for folder in folders:
            if folder.parent.name == "trials":  # a trial keeps its own scores, which say nothing of the metric
                (folder / "result.json").write_text(json.dumps({"seed": 7, "validation": {"accuracy": 0.5}}))
        by_file = compare_results(*(folder / "result.json" for folder in folders))
        assert by_file.numbers() == {**compare_results(*folders).numbers(), "first": by_file.first,
                                     "second": by_file.second}
        assert by_file.first == str(folders[0] / "result.json") and by_file.metric == "accuracy"


def test_a_result_without_answers_is_named(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(InputError, match="predictions.jsonl does not exist; give the folder of a finished fine-tuning"):
        compare_results(tmp_path / "result.json", tmp_path / "result.json")


def write_evaluation(folder, lines, **result):
    """What `evaluate` leaves: one set of answers, and a result that names the metric."""
    write_trial(folder, lines)
    result = {"task": "text_classification", "metric": "macro_f1", "split": "data", **result}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return folder


def test_what_was_scored_outside_of_a_run_is_compared_by_its_own_metric(tmp_path):
    first, second = (write_evaluation(tmp_path / name, answers(share, rows=60, seed=seed))
                     for name, share, seed in (("good", 0.85, 1), ("poor", 0.6, 2)))
    found = compare_results(first, second)
    assert (found.metric, found.split, found.examples) == ("macro_f1", "", 60)
    assert compare_results(first / "predictions.jsonl", second).scores == found.scores
    assert "of 60 examples\n" in str(found)


def test_what_was_scored_is_compared_with_a_run_on_the_same_examples(runs, tmp_path):
    scored = write_evaluation(tmp_path / "scored", answers(0.85, seed=1), task="glue/ax")
    found = compare_results(scored, runs[1], metric="accuracy")
    assert found.scores == compare_results(*runs).scores
    other = write_evaluation(tmp_path / "other", answers(0.85, seed=1)[1:])
    with pytest.raises(InputError, match="holds 299 predictions and .* 300; give two runs that answered the same"):
        compare_results(other, runs[1])


def test_the_job_prints_the_sentences_and_writes_the_numbers(runs, tmp_path):
    command = [sys.executable, str(ROOT / "experiments" / "compare_results.py"), f"--first={runs[0]}",
               f"--second={runs[1]}", f"--output={tmp_path / 'comparison.json'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{compare_results(*runs)}\n"
    assert json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))["metric"] == "accuracy"
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 2 and "exists already" in again.stderr
