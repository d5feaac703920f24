"""Labels of multiple choice: names of columns or places from 0, and never a guess which of them is meant."""

import json

import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.multiple_choice_task import MultipleChoiceTask
from electra_tf.tasks.options import MultipleChoice
from tests.tasks.tiny import save_networks

NAMED = MultipleChoice(("text",), ("x", "y", "z"), "label")
NUMBERED = MultipleChoice(("0",), ("1", "2", "3"), "4")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    network = save_networks(tmp_path_factory.mktemp("run")) / "discriminator"
    return ElectraMultipleChoice.from_preset(network, num_choices=3, sequence_length=12)


@pytest.fixture
def read(tmp_path):
    """Function of (options, labels) -> (task, rows) of a file with these labels."""
    def get(options, labels):
        path = tmp_path / ("train.jsonl" if options.label_column == "label" else "train.tsv")
        rows = [["a film", "good", "bad", "fine", str(label)] for label in labels]
        names = (*options.text_columns, *options.choice_columns, options.label_column)
        lines = ["\t".join(row) if path.suffix == ".tsv" else json.dumps(dict(zip(names, row))) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines))
        task = MultipleChoiceTask(options)
        return task, task.read(path)
    return get


@pytest.mark.parametrize("options, labels, places", [
    (NAMED, ["y", "x", "y", "z"], [1, 0, 1, 2]), (NAMED, [1, 0, 2], [1, 0, 2]), (NAMED, [1, 1], [1, 1]),
    (NUMBERED, [1, 0, 2], [1, 0, 2]), (NUMBERED, [0], [0]),
    (MultipleChoice(("3",), ("0", "1", "2"), "4"), [1, 1], [1, 1]),
    (MultipleChoice(("0",), ("-4", "-3", "-2"), "-1"), [2, 1], [2, 1])])
def test_a_label_is_the_name_of_a_column_or_a_place_from_0(model, read, options, labels, places):
    task, rows = read(options, labels)
    assert task.examples(model, rows).labels.tolist() == places


def test_choices_whose_columns_are_numbers_are_called_by_their_places(model, read):
    task, rows = read(NUMBERED, [1, 0, 2])
    lines = list(task.predictions(model, rows))
    assert [line["label"] for line in lines] == ["1", "0", "2"]
    assert [line["prediction"] for line in lines] == [
        str(max(range(3), key=line["probabilities"].__getitem__)) for line in lines]


@pytest.mark.parametrize("options, labels, message", [
    (NUMBERED, [1, 0, 3], r"train.tsv, line 3: label '3' names no choice; expected one of 0, 1, 2: choices whose "
                          r"columns are given by number are counted from 0"),
    (NUMBERED, [1, 2, 1], r"train.tsv: each label \(1, 2\) is the number of a choice's column and a choice's place "
                          r"from 0, and these are different choices; name the columns"),
    (MultipleChoice(("text",), ("1", "2", "3"), "label"), [1, 2], r"train.jsonl: each label \(1, 2\) is the number"),
    (NAMED, ["x", "y", 1], r"train.jsonl, line 3: label '1' is a number, but other labels of the file are names of "
                           r"columns; give all as names, x, y, z, or all as numbers from 0"),
    (NAMED, ["x", "w"], r"train.jsonl, line 2: label 'w' names no choice; expected one of x, y, z, or its number "
                        r"from 0")])
def test_labels_that_may_mean_two_choices_or_none_are_refused(read, options, labels, message):
    with pytest.raises(InputError, match=message):
        read(options, labels)


def test_parts_of_a_file_are_read_as_the_whole(model, read):
    """The labels of one fold could be numbers of columns; those of the file could not."""
    task, rows = read(NUMBERED, [1, 0, 2])
    assert task.examples(model, rows.at([0, 2])).labels.tolist() == [1, 2]


def test_the_text_with_another_number_of_endings_is_named(model):
    for texts, message in (
            ([("a", ("b", "c", "d")), ("a", ("b", "c"))],
             r"texts have 2, 3 endings; expected 3 for each, the model's num_choices; texts\[1\] has 2"),
            ([("a", ("b", "c"))], r"texts have 2 endings; expected 3 for each, .*; texts\[0\] has 2")):
        with pytest.raises(InputError, match=message):
            model.encode(texts)
