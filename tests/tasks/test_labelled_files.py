"""Labelled texts from files and from tensorflow-datasets: every row, as it stands, or a sentence with file and line."""

import gzip
import json
import lzma
import re

import numpy as np
import pytest
import tensorflow_datasets as tfds

from electra_tf.errors import InputError
from electra_tf.tasks.labelled_files import read_labelled_texts
from tests.oracles.shared import shared_path


def read(path, columns=("text",), label="label"):
    rows = read_labelled_texts(path, text_columns=columns, label_column=label)
    return rows.columns, rows.labels


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def test_tsv_has_no_quoting(tmp_path):
    path = write(tmp_path / "a.tsv", 'label\ttext\n1\t"he said\n0\tshe said "" twice, "ok\n')
    assert read(path) == ((['"he said', 'she said "" twice, "ok'],), ["1", "0"])


@pytest.mark.parametrize("form", ["plain", "byte-order mark", "CRLF", "gz", "xz"])
def test_the_same_rows_in_every_wrapping(tmp_path, form):
    content = "text\tlabel\nnaïve\tpos\n 影 \tneg\n".encode()
    path = write(tmp_path / "a.tsv", {"byte-order mark": b"\xef\xbb\xbf" + content,
                                      "CRLF": content.replace(b"\n", b"\r\n")}.get(form, content))
    if form in ("gz", "xz"):
        path = write(tmp_path / f"a.tsv.{form}", {"gz": gzip, "xz": lzma}[form].compress(content))
    assert read(path) == ((["naïve", " 影 "],), ["pos", "neg"])


def test_csv_fields_may_hold_commas_quotes_and_line_ends(tmp_path):
    path = write(tmp_path / "a.csv", 'text,other,label\n"a, ""b""\nc",1,x\n\nplain,2,y\n')
    assert read(path) == ((['a, "b"\nc', "plain"],), ["x", "y"])


def test_a_csv_field_may_be_long(tmp_path):
    path = write(tmp_path / "a.csv", f"text,label\n{'w' * 300_000},x\nb,y\n")
    assert len(read(path)[0][0][0]) == 300_000


def test_json_lines_with_labels_of_whole_numbers(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"label": 1, "text": "a\\nb", "more": [1]}\n\n{"label": -1, "text": ""}\n')
    assert read(path) == ((["a\nb", ""],), ["1", "-1"])


def test_columns_by_number_where_there_is_no_line_of_names(tmp_path):
    path = write(tmp_path / "a.tsv", "gj04\t1\t*\tfirst text\ngj05\t0\t\tsecond text\n")
    assert read(path, ("-1",), "1") == ((["first text", "second text"],), ["1", "0"])


def test_pairs_are_two_columns(tmp_path):
    path = write(tmp_path / "a.tsv", "b\tlabel\ta\nb1\tx\ta1\nb2\ty\ta2\n")
    rows = read_labelled_texts(path, text_columns=("a", "b"), label_column="label")
    assert rows.texts == (["a1", "a2"], ["b1", "b2"]) and len(rows) == 2


def test_labels_need_not_be_read(tmp_path):
    path = write(tmp_path / "a.tsv", "id\ttext\n0\ta\n")
    assert read_labelled_texts(path, text_columns=["text"]).labels is None


@pytest.mark.parametrize("name, content, columns, label, message", [
    ("a.tsv", "text\tlabel\na\tb\nc\td\te\n", ["text"], "label",
     "a.tsv, line 3: 3 fields, but the first row has 2; correct or remove the line"),
    ("a.tsv", "text\tlabel\na\tb\nc\n", ["text"], "label", "line 3: 1 fields, but the first row has 2"),
    ("a.tsv", "text\tlabel\na\tb\n", ["sentence"], "label",
     "line 1: column 'sentence' does not exist; the columns are text, label"),
    ("a.tsv", "text\tlabel\ttext\na\tb\tc\n", ["text"], "label", "column 'text' exists twice"),
    ("a.tsv", "\na\tb\n", ["2"], "0", "a.tsv, line 2: column 2 does not exist; the line has 2 fields, numbered from 0"),
    ("a.tsv", "text\tlabel\n", ["text"], "label", "a.tsv holds no rows"),
    ("a.tsv", b"text\tlabel\na\tb\nc\xff\td\n", ["text"], "label", "line 3: byte 0xff is not UTF-8"),
    ("a.csv", 'text,label\n"a"b,c\n', ["text"], "label", "a.csv, line 2: not CSV"),
    ("a.csv", 'text,label\n"a,b\n', ["text"], "label", "a.csv, line 2: not CSV"),
    ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": \n', ["text"], "label", "line 2, column 10: not JSON"),
    ("a.jsonl", '["a"]\n', ["text"], "label", "line 1 holds a list; expected a JSON object"),
    ("a.jsonl", '{"text": "a"}\n', ["text"], "label", "line 1: 'label' does not exist; the names are text"),
    ("a.jsonl", '{"text": null, "label": "b"}\n', ["text"], "label", "'text' is null; expected a string"),
    ("a.jsonl", '{"text": "a", "label": null}\n', ["text"], "label", "'label' is null; expected a string or a number"),
    ("a.txt", "a\n", ["text"], "label", "a.txt: the name tells no format; expected one that ends in .tsv, .csv"),
    ("a.tsv.gz", "text\tlabel\na\tb\n", ["text"], "label", "is named .gz but is not packed that way"),
    ("a.tsv", "a\tb\tc\td\n", [], "3", "no text columns were asked for; give one, or two for pairs"),
])
def test_what_does_not_fit_is_refused_in_one_sentence(tmp_path, name, content, columns, label, message):
    path = write(tmp_path / name, content)
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        read_labelled_texts(path, text_columns=columns, label_column=label)


QQP_HEADER = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"


def test_broken_rows_of_the_official_files_of_qqp_are_skipped_and_counted(tmp_path, capsys):
    content = QQP_HEADER + "0\t1\t2\tWho?\tWhen?\t0\n1\t3\t4\tWhat\n?\tWhy?\t1\n2\t5\t6\tHow?\tHow so?\t1\n"
    path = write(tmp_path / "train.tsv", content)
    assert read(path, ("question1", "question2"), "is_duplicate") == ((["Who?", "How?"], ["When?", "How so?"]),
                                                                      ["0", "1"])
    told = capsys.readouterr().err
    assert told == (f"{path}: 2 rows do not have the 6 fields of the others, as happens in the official files of QQP, "
                    f"and are skipped; the first is in line 3.\n")
    write(path, QQP_HEADER + "0\t1\t2\tWho?\tWhen?\t0\n")
    read(path, ("question1", "question2"), "is_duplicate")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name, content", [
    ("a.tsv", QQP_HEADER.replace("qid2", "qid3") + "0\t1\t2\tWho?\n"),
    ("a.csv", QQP_HEADER.replace("\t", ",") + "0,1,2,Who?\n"),
    ("a.tsv", "id\tquestion1\tquestion2\tis_duplicate\n0\tWho?\n"),
])
def test_broken_rows_of_other_files_are_refused(tmp_path, name, content):
    with pytest.raises(InputError, match=r"line 2: [24] fields, but the first row has [46]; correct or remove"):
        read(write(tmp_path / name, content), ("question1", "question2"), "is_duplicate")


def test_half_characters_of_json_lines_are_replaced_one_for_one(tmp_path):
    path = write(tmp_path / "a.jsonl",
                 r'{"text": "nice \ud83d!", "label": "\udc00b", "topics": ["x\ud83d", "\ud83d\ude00"]}')
    assert read(path) == ((["nice \ufffd!"],), ["\ufffdb"])
    rows = read_labelled_texts(path, text_columns=["text"], label_column="topics", several_labels=True)
    assert rows.labels == ['["x\ufffd", "\U0001f600"]']


@pytest.mark.parametrize("record, message", [
    ({"text": ["a", "b"], "label": "c"}, """'text' is ["a", "b"]; expected a string or a number (a list is"""),
    ({"text": {"a": 1}, "label": "c"}, """'text' is {"a": 1}; expected a string or a number; correct or remove"""),
    ({"text": "a", "label": ["b"]},
     """'label' is ["b"]; expected a string or a number (a list is read as the labels of the task multi_label only); """
     "correct or remove the line."),
])
def test_a_list_or_an_object_is_no_text_and_no_single_label(tmp_path, record, message):
    path = write(tmp_path / "a.jsonl", '{"text": "a", "label": "b"}\n' + json.dumps(record) + "\n")
    with pytest.raises(InputError, match=re.escape(f"{path}, line 2: {message}")):
        read_labelled_texts(path, text_columns=["text"], label_column="label")


@pytest.mark.parametrize("record, message", [
    ({"text": ["a"], "label": ["b"]}, """'text' is ["a"]; expected a string or a number (a list is read as"""),
    ({"text": "a", "label": ["b", True]}, "'label'[1] is true; expected a string or a number; correct or remove"),
    ({"text": "a", "label": [["b"]]}, """'label'[0] is ["b"]; expected a string or a number; correct"""),
])
def test_several_labels_are_a_list_of_strings_or_numbers(tmp_path, record, message):
    path = write(tmp_path / "a.jsonl", json.dumps(record) + "\n")
    with pytest.raises(InputError, match=re.escape(f"{path}, line 1: {message}")):
        read_labelled_texts(path, text_columns=["text"], label_column="label", several_labels=True)


@pytest.mark.parametrize("name, columns, label", [
    ("a.tsv", ["text"], "label"), ("a.tsv", ["0"], "1"), ("a.csv", ["text"], "label"), ("a.csv", ["0"], "-1"),
    ("a.jsonl", ["text"], "label")])
@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_holds_no_rows(tmp_path, name, columns, label, content):
    path = write(tmp_path / name, content)
    with pytest.raises(InputError, match=f"^{path} holds no rows; give a file with one example in a row.$"):
        read_labelled_texts(path, text_columns=columns, label_column=label)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="none.tsv cannot be read: No such file"):
        read_labelled_texts(tmp_path / "none.tsv", text_columns=["text"], label_column="label")


@pytest.mark.parametrize("name, columns, label, count, labels", [
    ("glue/SST-2/dev.tsv", ["sentence"], "label", 872, {"0", "1"}),
    ("glue/CoLA/train.tsv.gz", ["3"], "1", 8551, {"0", "1"}),
    ("glue/MRPC/dev.tsv", ["#1 String", "#2 String"], "Quality", 408, {"0", "1"}),
    ("ag_news/test.csv.gz", ["1", "2"], "0", 7600, {"1", "2", "3", "4"}),
    ("imdb/test.jsonl.xz", ["text"], "label", 5000, {"neg", "pos"}),
    ("classification_zh/tnews/dev.tsv.gz", ["text"], "label", 10000, None),
])
def test_real_files_give_every_row(name, columns, label, count, labels):
    rows = read_labelled_texts(shared_path(f"data/finetune/{name}"), text_columns=columns, label_column=label)
    assert len(rows) == len(rows.labels) == count
    assert len(set(rows.labels)) == 15 if labels is None else set(rows.labels) == labels


class TinyReviews(tfds.core.GeneratorBasedBuilder):
    """A set of our own, as tensorflow-datasets finds it by the name tiny_reviews."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
            "text": tfds.features.Text(), "mood": tfds.features.ClassLabel(names=["neg", "pos"]),
            "stars": tfds.features.Scalar(np.int32), "score": tfds.features.Scalar(np.float32),
            "vector": tfds.features.Tensor(shape=(2,), dtype=np.float32)}))

    def _split_generators(self, downloads):
        rows = [("naïve", "pos", 4, 3.8), ("dull", "neg", 1, 0.25), ("fine", "pos", 3, 5.0)]
        return {"train": self._generate_examples(rows), "test": self._generate_examples([("a", -1, 0, 0.0)])}

    def _generate_examples(self, rows):
        for key, (text, mood, stars, score) in enumerate(rows):
            yield key, {"text": text, "mood": mood, "stars": stars, "score": score,
                        "vector": [score, score]}


@pytest.fixture
def tiny_reviews(tmp_path, monkeypatch):
    """Prepared below a folder of its own; nothing is downloaded."""
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    tfds.builder("tiny_reviews").download_and_prepare()


@pytest.mark.usefixtures("tiny_reviews")
def test_a_set_of_tensorflow_datasets_by_name_and_split():
    rows = read_labelled_texts("tfds:tiny_reviews@train", text_columns=["text"], label_column="mood")
    assert sorted(zip(rows.texts, rows.labels, strict=True)) == [("dull", "neg"), ("fine", "pos"), ("naïve", "pos")]
    rows = read_labelled_texts("tfds:tiny_reviews@train[:2]", text_columns=["text"], label_column="stars")
    assert len(rows) == 2 and set(rows.labels) < {"4", "1", "3"}


@pytest.mark.usefixtures("tiny_reviews")
def test_scores_of_tensorflow_datasets_have_the_fewest_digits_and_class_labels_are_names_or_numbers():
    rows = read_labelled_texts("tfds:tiny_reviews@train", text_columns=["text"], label_column="score")
    assert dict(zip(rows.texts, rows.labels, strict=True)) == {"naïve": "3.8", "dull": "0.25", "fine": "5.0"}
    rows = read_labelled_texts("tfds:tiny_reviews@train", text_columns=["text"], label_column="mood:number")
    assert dict(zip(rows.texts, rows.labels, strict=True)) == {"naïve": "1", "dull": "0", "fine": "1"}


@pytest.mark.usefixtures("tiny_reviews")
@pytest.mark.parametrize("source, label, message", [
    ("tfds:tiny_reviews", "mood", "expected tfds:NAME@SPLIT, such as"),
    ("tfds:no_such_set@train", "mood", "tensorflow-datasets has no 'no_such_set'"),
    ("tfds:tiny_reviews@train", "label", "column 'label' does not exist; the columns are"),
    ("tfds:tiny_reviews@train", "vector", "row 0, vector is a ndarray; expected a string, a number or a class label"),
    ("tfds:tiny_reviews@test", "mood", "row 0, mood: the row has no label"),
    ("tfds:tiny_reviews@test", "mood:number", "row 0, mood: the row has no label"),
    ("tfds:tiny_reviews@train", "no:number", "column 'no:number' does not exist; the columns are"),
    ("tfds:tiny_reviews@dev", "mood", "split 'dev' cannot be read .*Should be one of .*'train'"),
])
def test_what_tensorflow_datasets_does_not_have_is_refused(source, label, message):
    with pytest.raises(InputError, match=message):
        read_labelled_texts(source, text_columns=["text"], label_column=label)


def test_numbers_and_lists_of_labels_and_lines_of_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "score": 2.5, "topics": ["x", "y"]}\n\n{"text": "b", "score": 3, "topics": []}\n')
    rows = read_labelled_texts(path, text_columns=["text"], label_column="score")
    assert rows.labels == ["2.5", "3"] and [rows.where(row) for row in (0, 1)] == [f"{path}, line 1", f"{path}, line 3"]
    rows = read_labelled_texts(path, text_columns=["text"], label_column="topics", several_labels=True)
    assert rows.labels == ['["x", "y"]', "[]"]
