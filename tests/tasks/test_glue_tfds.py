"""GLUE from tensorflow-datasets: its own builder on small official files gives what those files give."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from electra_tf.errors import InputError
from electra_tf.tasks.finetune import task_of
from electra_tf.tasks.glue import GLUE, diagnostic_data, glue_data
from electra_tf.tasks.glue_submission import write_submission
from electra_tf.tasks.labelled_files import read_labelled_texts
from experiments import finetune, job
from tests.tasks.glue_files import LABELS, ROWS, AnswersByText, write_glue, write_lines, write_unlabelled
from tests.tasks.tiny import save_networks

MRPC_FILES = {"train": "msr_paraphrase_train.txt", "test": "msr_paraphrase_test.txt", "dev_ids": "mrpc_dev_ids.tsv"}


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A folder that stands for the official download, also to tensorflow-datasets; nothing is downloaded."""
    folder = tmp_path / "glue_data"
    of_mrpc = {name: str(folder / "MRPC" / file) for name, file in MRPC_FILES.items()}
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "prepared"))
    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", lambda manager, url: str(folder))
    monkeypatch.setattr(tfds.download.DownloadManager, "download", lambda manager, urls: of_mrpc if isinstance(
        urls, dict) else str(folder / "diagnostic" / "diagnostic.tsv"))
    write_unlabelled(folder / "diagnostic" / "diagnostic.tsv", ("sentence1", "sentence2"))
    return folder


def write_task(folder, key, **arguments):
    write_glue(folder, key, **arguments)
    if key == "mrpc":  # tensorflow-datasets deals the rows of the original set itself
        train, dev, test = ((folder / "MRPC" / f"{name}.tsv").read_text().splitlines()
                            for name in ("train", "dev", "test"))
        write_lines(folder / "MRPC" / MRPC_FILES["train"], ["\ufeff" + train[0], *train[1:], *dev[1:]])
        write_lines(folder / "MRPC" / MRPC_FILES["test"], test)
        write_lines(folder / "MRPC" / MRPC_FILES["dev_ids"], ["\t".join(line.split("\t")[1:3]) for line in dev])


def rows_of(data, source):
    rows = task_of(data.task).read(source)
    labels = map(float, rows.labels) if data.metric == "spearman" else rows.labels
    return sorted(zip(*rows.columns, labels, strict=True))


@pytest.mark.parametrize("key", GLUE)
def test_rows_labels_and_submission_are_those_of_the_official_files(official, tmp_path, key):
    write_task(official, key)
    prepared, files = glue_data(f"glue/{key}"), glue_data(f"glue/{key}", official)
    for part in ("train", "validation", "test"):
        one, other = getattr(prepared, part), getattr(files, part)
        assert (one is None) == (other is None)
        if one is not None:
            assert one.startswith(f"tfds:glue/{key}@")
            assert rows_of(prepared, one) == rows_of(files, other) and len(rows_of(files, other)) == ROWS
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    model = AnswersByText(LABELS[key])
    one, other = (write_submission(tmp_path / name, model, data) for name, data in
                  (("one", prepared), ("other", files)))
    assert [path.name for path in one] == [path.name for path in other]
    assert {path.stem for path in one} == {*GLUE[key].submissions, *(["AX"] if key == "mnli" else [])}
    for path, like in zip(one, other, strict=True):
        assert path.read_text() == like.read_text()
        assert [line.split("\t")[0] for line in path.read_text().splitlines()] == ["index", *map(str, range(ROWS))]


def test_the_prepared_rows_are_in_another_order_than_the_leaderboards(official):
    write_task(official, "rte")
    rows = read_labelled_texts("tfds:glue/rte@test", text_columns=["sentence1"], label_column="idx")
    assert rows.labels != sorted(rows.labels, key=int) == [str(row) for row in range(ROWS)]


@pytest.mark.parametrize("key, second", [
    ("cola", "acceptable"), ("sst2", "positive"), ("mrpc", "equivalent"), ("qqp", "duplicate"), ("wnli", "entailment")])
def test_number_1_is_the_label_that_the_leaderboard_calls_1(key, second):
    assert GLUE[key].tfds_columns[-1] == "label:number"
    assert tfds.builder(f"glue/{key}").info.features["label"].names[1] == second


@pytest.mark.parametrize("key", ["mnli", "qnli", "rte"])
def test_other_labels_have_the_leaderboards_names(key):
    assert GLUE[key].tfds_columns[-1] == "label"
    assert sorted(tfds.builder(f"glue/{key}").info.features["label"].names) == sorted(LABELS[key])


def test_the_sets_of_each_task_exist_and_have_the_columns():
    for key, glue in GLUE.items():
        features = tfds.builder(f"glue/{key}").info.features
        assert {*glue.tfds_columns[:-1], "label", "idx"} == set(features)
    assert {"premise", "hypothesis", "idx"} < set(tfds.builder("glue/ax").info.features)


def test_the_names_of_the_sets():
    data = glue_data("glue/mnli")
    assert data.unlabelled == {"MNLI-m": "tfds:glue/mnli@test_matched", "MNLI-mm": "tfds:glue/mnli@test_mismatched",
                               "AX": "tfds:glue/ax@test"}
    assert data.unlabelled_columns == diagnostic_data().unlabelled_columns == ("premise", "hypothesis")
    assert diagnostic_data().unlabelled == {"AX": "tfds:glue/ax@test"} and diagnostic_data().validation is None
    data = glue_data("glue/cola", train="tfds:glue/cola@train[:50%]", validation="tfds:glue/cola@train[50%:]")
    assert (data.train, data.task.text_columns) == ("tfds:glue/cola@train[:50%]", ("sentence",))
    data = glue_data("glue/cola", train="mine.tsv", validation="other.tsv")
    assert (data.task.text_columns, data.unlabelled) == (("3",), {})


@pytest.mark.parametrize("given, file, prepared", [
    ({"train": "mine.tsv"}, "train mine.tsv", "validation tfds:glue/sst2@validation"),
    ({"validation": "mine.tsv"}, "validation mine.tsv", "train tfds:glue/sst2@train"),
    ({"train": "mine.tsv", "folds": True}, None, None),
    ({"test": "mine.tsv", "folds": True}, "test mine.tsv", "train tfds:glue/sst2@train"),
    ({"train": "mine.tsv", "validation": "tfds:glue/sst2@test"}, "train mine.tsv",
     "validation tfds:glue/sst2@test"),
])
def test_files_and_prepared_sets_with_other_columns_are_not_mixed(given, file, prepared):
    if file is None:
        assert glue_data("glue/sst2", **given).train == "mine.tsv"
        return
    with pytest.raises(InputError, match=f"^--task=glue/sst2: --{file} is a file, but --{prepared} has the columns of "
                                         f"tensorflow-datasets; give files for all sets, or --data_dir."):
        glue_data("glue/sst2", **given)


def test_a_prepared_set_is_not_put_among_files_with_other_columns(official):
    write_task(official, "sst2")
    with pytest.raises(InputError, match=r"--validation .*dev\.tsv is a file, but --train tfds:glue/sst2@train has"):
        glue_data("glue/sst2", official, train="tfds:glue/sst2@train")


def test_files_and_prepared_sets_with_the_same_columns_may_be_mixed():
    data = glue_data("glue/rte", train="mine.tsv")
    assert (data.train, data.validation, data.task.label_column) == ("mine.tsv", "tfds:glue/rte@validation", "label")


@pytest.mark.filterwarnings("ignore:.*Even though the `tf.config.experimental_run_functions_eagerly` option is set")
def test_a_run_on_stsb_reads_scores_and_writes_a_submission(official, tmp_path, capsys):
    write_task(official, "stsb", count=20)
    save_networks(tmp_path / "pretrained")
    tf.config.run_functions_eagerly(True)
    try:
        with pytest.raises(SystemExit) as ended:
            job.run_job(finetune.main, finetune.Flags, [
                "finetune.py", "--task=glue/stsb", f"--model={tmp_path}/pretrained", f"--output={tmp_path}/run",
                "--sequence_length=20", "--batch_size=10", "--epochs=1"])
    finally:
        tf.config.run_functions_eagerly(False)
    assert ended.value.code == 0, capsys.readouterr().err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["metric"], result["examples"]) == ("spearman", {"train": 20, "validation": 20})
    predictions = (tmp_path / "run" / "trials" / "0" / "predictions.jsonl").read_text().splitlines()
    assert {json.loads(line)["label"] for line in predictions} == {0.0, 2.2, 3.8, 5.0}  # not 3.799999952316284
    lines = (tmp_path / "run" / "submission" / "STS-B.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["index", *map(str, range(20))]
    scores = [line.split("\t")[1] for line in lines[1:]]
    assert all(re.fullmatch(r"[0-5]\.\d{3}", score) for score in scores)
    assert np.all((np.array(scores, float) >= 0) & (np.array(scores, float) <= 5))


@pytest.mark.parametrize("error", [OSError("no network\nand more"), tfds.download.DownloadError("no network")])
def test_a_set_that_cannot_be_prepared_is_named_and_what_could_be_written_stays(official, tmp_path, monkeypatch,
                                                                                 error):
    def fails(manager, url):
        raise error

    write_task(official, "mnli")
    monkeypatch.setattr(tfds.download.DownloadManager, "download", fails)
    with pytest.raises(InputError, match=r"tfds:glue/ax@test: the set cannot be prepared \(no network\); check the "
                                         r"connection and the disk, or copy a prepared one to .*/glue/ax"):
        write_submission(tmp_path, AnswersByText(LABELS["mnli"]), glue_data("glue/mnli"))
    assert {path.name for path in (tmp_path / "submission").iterdir()} == {"MNLI-m.tsv", "MNLI-mm.tsv"}
