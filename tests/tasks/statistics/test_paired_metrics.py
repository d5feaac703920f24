"""What the paired test says a run scored is what the run itself says, in every metric that a run can have."""

import json

import numpy as np
import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.tasks.finetune import task_of
from electra_tf.tasks.options import (
    MultiLabel,
    MultipleChoice,
    QuestionAnswering,
    Regression,
    TextClassification,
    TokenClassification,
)
from electra_tf.tasks.statistics.comparison import compare_results
from electra_tf.tasks.statistics.paired_metrics import paired_metric
from electra_tf.tasks.tagging.tag_schemes import labels_of
from electra_tf.tasks.tagging.tagging_scores import METRICS, scored_spans, tagging_scores
from tests.tasks.question_answering import moods as questions
from tests.tasks.tagging import moods as sentences
from tests.tasks.tiny import reviews, scatter_weights

COUNT = 30
CONFIG = FineTuningConfig(sequence_length=24)


def labelled(label_of):
    """Function of a path that writes texts with the labels of their moods and numbers."""
    def write(path):
        rows = [{"text": text, "ending0": "good", "ending1": "bad", "label": label_of(mood, number)}
                for number, (text, mood) in enumerate(zip(*reviews(COUNT, seed=0), strict=True))]
        path = path.with_suffix(".jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path
    return write


def parts_of_speech(path):
    words, tags = sentences.moods(COUNT, seed=0)
    return sentences.write_columns(path, words, [[tag.removeprefix("B-") for tag in one] for one in tags])


def asked(path):
    """Answers of several words, of which a wrong answer may have some."""
    asked_for, contexts, _ = questions.moods(COUNT, seed=0)
    return questions.write_squad(path, asked_for, contexts, [" ".join(text.split()[:4]) for text in contexts])


# Where a model knows a label that the scored rows lack (the last row alone has it), that label counts in a mean.
TASKS = {
    "classification": (TextClassification(("text",), "label"),
                       labelled(lambda mood, number: "rare" if number == COUNT - 1 else mood)),
    "multi_label": (MultiLabel(("text",), "label"),
                    labelled(lambda mood, number: f"{mood}|rare" if number == COUNT - 1 else mood * (number % 3 > 0))),
    "regression": (Regression(("text",), "label"), labelled(lambda mood, number: (mood == "pos") + number % 4)),
    "multiple_choice": (MultipleChoice(("text",), ("ending0", "ending1"), "label"),
                        labelled(lambda mood, number: int(mood == "neg"))),
    "entities": (TokenClassification(), lambda path: sentences.write_columns(path, *sentences.moods(COUNT, seed=0))),
    "parts_of_speech": (TokenClassification(scheme="plain"), parts_of_speech),
    "questions": (QuestionAnswering(beam_size=5, n_best=3), asked),
}


@pytest.mark.filterwarnings("ignore:.*Even though the `tf.config.experimental_run_functions_eagerly` option is set")
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", TASKS)
def test_every_metric_of_a_task_is_that_of_its_own_scores(network, tmp_path, name):
    options, write = TASKS[name]
    task = task_of(options)
    rows = task.read(str(write(tmp_path / "rows.txt")))
    model = task.new_model(network, train=rows, config=CONFIG, load_weights=True)
    scatter_weights(model, seed=2)
    scored = rows.at(np.arange(COUNT - 1)) if hasattr(rows, "at") else rows
    examples = task.examples(model, scored)
    task.settle(model, examples)
    scores = task.scores(model, examples).numbers()
    lines = [json.loads(json.dumps(line)) for line in task.predictions(model, scored)]
    for metric in task.metrics if name == "questions" else scores:
        paired = paired_metric(metric, [lines], [lines])
        assert paired.scores(paired.first) == pytest.approx([scores[metric]], abs=1e-6), metric
    # Else any of them would do for all.
    assert len({round(scores[metric], 6) for metric in task.metrics if metric in scores}) > 1


@pytest.fixture(params=["IOB2", "plain"])
def tagged(request):
    """(true tags, predicted tags, lines of predictions) of sentences of 1 to 6 words, some without a span."""
    random = np.random.default_rng(3)
    labels = labels_of(("PER", "LOC"), "IOB2") if request.param == "IOB2" else ("NOUN", "VERB", "DET")
    true, predicted = ([list(random.choice(labels, length)) for length in 1 + np.arange(40) % 6] for _ in range(2))
    lines = [{"label": [span._asdict() for span in scored_spans(own, request.param)],
              "prediction": [span._asdict() for span in scored_spans(answer, request.param)],
              "tags": own, "predicted_tags": answer} for own, answer in zip(true, predicted, strict=True)]
    return true, predicted, lines, request.param


@pytest.mark.parametrize("metric", METRICS)
def test_any_choice_of_tagged_sentences_has_the_score_of_the_whole_set_of_them(tagged, metric):
    true, predicted, lines, scheme = tagged
    paired = paired_metric(metric, [lines], [lines])
    random = np.random.default_rng(4)
    for size in (40, 12, 3, 1):
        drawn = random.integers(40, size=size)
        expected = tagging_scores([true[place] for place in drawn], [predicted[place] for place in drawn],
                                  scheme=scheme).numbers()[metric]
        assert paired.scores(paired.first[drawn]) == pytest.approx([expected])


def test_sentences_without_any_span_are_scored_too():
    lines = [{"label": [], "prediction": [], "tags": ["O", "O"], "predicted_tags": ["O", "O"]}]
    expected = tagging_scores([["O", "O"]], [["O", "O"]], scheme="IOB2").numbers()
    for metric in METRICS:
        paired = paired_metric(metric, [lines], [lines])
        assert paired.scores(paired.first) == [expected[metric]]


def test_spans_alone_have_no_accuracy_and_without_types_no_mean_of_types():
    lines = [{"label": [[0, 3, "PER"]], "prediction": [[0, 3, "PER"], [5, 7, "LOC"]]}]
    assert paired_metric("precision", [lines], [lines]).scores(np.array([[[1, 2, 1]]])) == [0.5]
    for metric in ("accuracy", "macro_f1"):
        with pytest.raises(InputError, match=f"metric='{metric}' cannot .* choose one of f1, precision, recall"):
            paired_metric(metric, [lines], [lines])


def test_of_errors_less_is_better(tmp_path):
    truth = np.linspace(0, 5, 40)
    paths = []
    for name, error in (("near", 0.1), ("far", 2.0)):
        paths.append(tmp_path / f"{name}.jsonl")
        paths[-1].write_text("".join(json.dumps({"label": label, "prediction": label + error * (-1) ** place}) + "\n"
                                     for place, label in enumerate(truth)))
    found = compare_results(*paths, metric="mean_squared_error")
    assert found.test.difference == pytest.approx(0.01 - 4.0) and found.test.p_value < 0.001
    assert f"on examples like these {paths[0]} is better" in str(found)
