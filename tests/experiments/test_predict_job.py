"""The job that answers lines: what people and programs read of each kind of model, and which line is at fault."""

import dataclasses
import json
import re

import pytest

from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.tagging.tag_schemes import labels_of
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from experiments import predict
from tests.experiments.in_process import run
from tests.serving.ids_tasks import answerer, made
from tests.tasks.tiny import save_networks

TEXT, MASKED = "a good film", "a [MASK] film"
SHARE = r"[01]\.\d{3}"


def labels_that_hold(*holds):
    """A model of several labels, a, b and c, whose answer is always the same."""
    model = made(ElectraMultiLabelClassifier, labels=["a", "b", "c"])
    model.weights[-1].assign([99.0 if one else -99.0 for one in holds])
    return model


# name -> (model, a line for it, what is written for people)
MODELS = {
    "classifier": (lambda: made(ElectraTextClassifier, labels=["neg", "pos"]), TEXT,
                   rf"(neg|pos) {SHARE}  a good film"),
    "classifier of pairs": (lambda: made(ElectraTextClassifier, labels=["neg", "pos"], pairs=True), "a film\ta scene",
                            rf"(neg|pos) {SHARE}  a film \| a scene"),
    "regressor": (lambda: made(ElectraTextRegressor, score_range=(1, 5)), TEXT, r"-?\d+\.\d+  a good film"),
    "regressor of pairs": (lambda: made(ElectraTextRegressor, score_range=(1, 5), pairs=True), "a film\ta scene",
                           r"-?\d+\.\d+  a film \| a scene"),
    "several labels": (lambda: labels_that_hold(True, False, True), TEXT, r"a 1\.000, c 1\.000  a good film"),
    "no label": (lambda: labels_that_hold(False, False, False), TEXT, r"\(no label\)  a good film"),
    "choice": (lambda: made(ElectraMultipleChoice, num_choices=2), "the film\twas good\twas bad",
               rf"was (good|bad) {SHARE}  the film"),
    "tagger": (lambda: made(ElectraTokenClassifier, labels=labels_of(["X"], "BIOES")), TEXT,
               r"(\[X )?a\]? (\[X )?good\]? (\[X )?film\]?"),
    "plain tagger": (lambda: made(ElectraTokenClassifier, labels=["N", "V"], scheme="plain", empty_word_tag="N"), TEXT,
                     r"a/[NV] good/[NV] film/[NV]"),
    "answerer": (answerer, "what was it?\tthe plot was good", rf"(\(no answer\)|[\w ]+) {SHARE}  what was it\?"),
    "discriminator": ("discriminator", TEXT, r"[a good film*().\d]+"),
    "generator": ("generator", MASKED, rf"a \[MASK\] film\n  \[MASK\] 1: (\S+ {SHARE}(, )?){{5}}")}


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """Function of a name in MODELS -> model folder, made once."""
    folder = tmp_path_factory.mktemp("models")
    save_networks(folder)

    def get(name):
        make = MODELS[name][0]
        if isinstance(make, str):
            return folder / make
        if not (folder / name).exists():
            make().save_to_preset(folder / name)
        return folder / name
    return get


@pytest.fixture
def answers(folder_of, tmp_path, capsys):
    """Function of (name or folder of a model, lines, flags) -> what the job writes."""
    def get(name, lines, *flags):
        (tmp_path / "texts.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        run(predict, f"--model={folder_of(name) if name in MODELS else name}", f"--input={tmp_path}/texts.tsv",
            "--engine=tensorflow", *flags)
        return capsys.readouterr().out
    return get


@pytest.mark.parametrize("name", MODELS)
def test_people_can_read_the_answer_of_every_kind_of_model(name, answers):
    _, line, pattern = MODELS[name]
    shown = answers(name, [line], "--format=text")
    assert re.fullmatch(pattern, shown.removesuffix("\n")), shown


@pytest.mark.parametrize("name", MODELS)
def test_every_line_of_json_holds_what_was_asked(name, answers):
    line = MODELS[name][1]
    asked, (shown,) = line.split("\t"), map(json.loads, answers(name, [line]).splitlines())
    if name == "answerer":
        assert [shown["question"], shown["context"]] == asked and "text" not in shown
    elif name == "choice":
        assert shown["text"] == [asked[0], asked[1:]]
    else:
        assert shown["text"] == (asked if len(asked) > 1 else line)


def test_the_answer_to_a_question_stands_beside_question_and_context(answers):
    lines = ["what was it?\tthe plot was good, the film bad", "what?\t"]
    shown = list(map(json.loads, answers("answerer", lines).splitlines()))
    expected = answerer().predict([tuple(line.split("\t")) for line in lines], verbose=0)
    for one, line, answer in zip(shown, lines, expected, strict=True):
        assert list(one) == ["question", "context", "answer", "start", "end", "probability", "no_answer_probability",
                             "n_best"]
        assert f"{one['question']}\t{one['context']}" == line
        assert (one["answer"], one["start"], one["end"]) == (answer.text, answer.start, answer.end)
        assert [span["text"] for span in one["n_best"]] == [span.text for span in answer.n_best]
        assert one["probability"] == pytest.approx(dataclasses.asdict(answer)["probability"], abs=1e-5)


@pytest.mark.parametrize("lines, place", [(["the film\tgood\tbad"] * 2 + ["the film\tgood\tbad\tfine"], 3),
                                          (["the film\tgood\tbad\tfine"] * 2, 1)])
def test_a_line_with_another_number_of_endings_is_named(folder_of, tmp_path, capsys, lines, place):
    (tmp_path / "texts.tsv").write_text("\n".join(lines), encoding="utf-8")
    run(predict, f"--model={folder_of('choice')}", f"--input={tmp_path}/texts.tsv", "--engine=tensorflow", code=2)
    out, err = capsys.readouterr()
    assert f"texts.tsv, line {place}: texts have 3 endings; expected 2 for each, the model's num_choices" in err
    assert "--input: " in err and not out


def test_a_model_for_any_number_of_endings_answers_lines_of_several(answers, tmp_path):
    made(ElectraMultipleChoice).save_to_preset(tmp_path / "any")
    lines = ["the film\tgood\tbad", "the film\tgood\tbad\tfine", "the plot\tbad\tgood"]
    shown = list(map(json.loads, answers(tmp_path / "any", lines).splitlines()))
    assert [len(one["probabilities"]) for one in shown] == [2, 3, 2]


def test_a_tab_before_a_model_of_single_texts_is_told_once(folder_of, tmp_path, capsys):
    (tmp_path / "texts.tsv").write_text("a film\na film\ta scene\na\tb\n")
    for name, places in (("classifier", ["line 2"]), ("classifier of pairs", [])):
        lines = tmp_path / "texts.tsv" if places else tmp_path / "pairs.tsv"
        (tmp_path / "pairs.tsv").write_text("a film\ta scene\n")
        run(predict, f"--model={folder_of(name)}", f"--input={lines}", "--engine=tensorflow")
        told = re.findall(r"(line \d+): the line holds a tab, which is a space to this model", capsys.readouterr().err)
        assert told == places
