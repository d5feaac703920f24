"""GLUE by name: the official files, real ones too, the score that counts, and what the leaderboard takes."""

import gzip
import json
import re
import zipfile

import keras
import numpy as np
import pytest

from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.finetune import task_of
from electra_tf.tasks.glue import GLUE, glue_data
from electra_tf.tasks.glue_submission import write_submission, zip_submissions
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.preprocessor import TextPreprocessor
from experiments import finetune, glue_submission, job
from tests.oracles.shared import shared_path
from tests.tasks.glue_files import LABELS, ROWS, AnswersByText, texts_of, write_glue, write_lines
from tests.tasks.tiny import reviews, save_networks, scatter_weights, tiny_config, tiny_vocabulary

# name -> rows of train, validation and test, labels (or the range of scores); the README of the data says the same.
REAL = {
    "cola": (8551, 1043, None, {"0", "1"}), "sst2": (67349, 872, None, {"0", "1"}),
    "mrpc": (3668, 408, None, {"0", "1"}), "stsb": (5749, 1500, None, (0.0, 5.0)),
    "rte": (2490, 277, None, {"entailment", "not_entailment"}), "wnli": (635, 71, None, {"0", "1"}),
    "qnli": (10000, 5463, None, {"entailment", "not_entailment"}),
    "qqp": (19496, 4000, None, {"0", "1"}), "mnli": (9832, 9815, None, {"entailment", "neutral", "contradiction"})}
# What is not the official set stands in files of other names.
OTHER_FILES = {"qnli": {"train": "QNLI/train_constructed.tsv.gz"},
               "qqp": {"train": "QQP/train_from_dev.tsv.gz", "validation": "QQP/dev_from_dev.tsv.gz"},
               "mnli": {"train": "MNLI/dev_mismatched_annotator1.tsv.gz"}}


@pytest.mark.parametrize("name", GLUE)
def test_the_real_files_are_read(name):
    folder = shared_path("data/finetune/glue")
    others = {part: str(folder / file) for part, file in OTHER_FILES.get(name, {}).items()}
    data = glue_data(f"glue/{name}", folder, **others)
    task = task_of(data.task)
    train, validation, _, labels = REAL[name]
    for source, count in ((data.train, train), (data.validation, validation)):
        rows = task.read(source)
        assert len(rows) == count and all(all(column) for column in rows.columns)
        if isinstance(labels, set):
            assert set(rows.labels) == labels
        else:
            scores = [float(label) for label in rows.labels]
            assert (min(scores), max(scores)) == labels
    assert data.metric in task.metrics


# name -> rows of the test file, columns of its texts.
REAL_TESTS = {"cola": (1063, (1,)), "sst2": (1821, (1,)), "mrpc": (1725, (3, 4)), "stsb": (1379, (7, 8)),
              "qnli": (5463, (1, 2)), "rte": (3000, (1, 2)), "wnli": (146, (1, 2))}


@pytest.mark.parametrize("name", REAL_TESTS)
def test_the_real_test_files_are_answered_row_by_row(name, tmp_path):
    folder = shared_path("data/finetune/glue")
    others = {part: str(folder / file) for part, file in OTHER_FILES.get(name, {}).items()}
    data = glue_data(f"glue/{name}", folder, **others)
    source, = data.unlabelled.values()
    count, columns = REAL_TESTS[name]
    opened = gzip.open if source.endswith(".gz") else open
    with opened(source, "rt", encoding="utf-8", newline="\n") as file:
        lines = [line.rstrip("\n").split("\t") for line in file][1:]
    model = AnswersByText(("0", "1"))
    path, = write_submission(tmp_path, model, data)
    rows, = model.seen
    assert len(rows) == len(lines) == count
    assert rows == [tuple(fields[column] for column in columns) for fields in lines]
    written = [line.split("\t") for line in path.read_text().splitlines()]
    assert written == [["index", "prediction"],
                       *([fields[0], answer] for fields, answer in zip(lines, model.answers(rows), strict=True))]


def test_each_task_reports_its_own_score():
    assert {name: task.metric for name, task in GLUE.items()} == {
        "cola": "matthews", "stsb": "spearman",
        **dict.fromkeys(("sst2", "mrpc", "qqp", "mnli", "qnli", "rte", "wnli"), "accuracy")}


@pytest.fixture
def cola(tmp_path):
    """A small CoLA laid out as the official one: labelled files without a line of names, four columns."""
    folder = tmp_path / "glue_data" / "CoLA"
    folder.mkdir(parents=True)
    for name, count, seed in (("train", 120, 0), ("dev", 40, 1)):
        rows = zip(*reviews(count, seed=seed), strict=True)
        (folder / f"{name}.tsv").write_text("".join(f"x\t{int(label == 'pos')}\t\t{text}\n" for text, label in rows))
    texts, _ = reviews(7, seed=2)
    (folder / "test.tsv").write_text("index\tsentence\n" + "".join(f"{i}\t{text}\n" for i, text in enumerate(texts)))
    return tmp_path / "glue_data"


def run(main, flags_class, *flags):
    with pytest.raises(SystemExit) as ended:
        job.run_job(main, flags_class, ["job.py", *map(str, flags)])
    return ended.value.code


def test_a_run_by_name_makes_a_submission(cola, tmp_path, capsys):
    save_networks(tmp_path / "pretrained")
    flags = ["--task=glue/cola", f"--data_dir={cola}", f"--model={tmp_path}/pretrained", f"--output={tmp_path}/run",
             "--sequence_length=20", "--batch_size=16", "--epochs=6", "--learning_rate=3e-3", "--dropout=0"]
    assert run(finetune.main, finetune.Flags, *flags) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["task"], result["metric"], result["split"]) == ("glue/cola", "matthews", "validation")
    assert result["median"] > 0.5
    lines = (tmp_path / "run" / "submission" / "CoLA.tsv").read_text().splitlines()
    assert lines[0] == "index\tprediction" and [line.split("\t")[0] for line in lines[1:]] == list("0123456")
    told = [line.split("\t")[1] for line in lines[1:]]
    expected = [str(int(label == "pos")) for label in reviews(7, seed=2)[1]]
    assert np.mean([one == other for one, other in zip(told, expected, strict=True)]) > 0.7

    capsys.readouterr()
    assert run(glue_submission.main, glue_submission.Flags, f"--runs={tmp_path}/run", f"--output={tmp_path}/a.zip") == 0
    assert "a.zip is written; the leaderboard also wants SST-2.tsv, MRPC.tsv" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["CoLA.tsv"] and archive.read("CoLA.tsv").decode().splitlines() == lines


@pytest.mark.parametrize("name, message", [
    ("glue/colla", "--task 'glue/colla' does not exist; did you mean 'glue/cola'"),
    ("glue/rte", "--data_dir: .*RTE has no train.tsv .nor .gz or .xz of it.; give the folder of")])
def test_what_is_not_there_is_named(cola, name, message):
    with pytest.raises(InputError, match=message):
        glue_data(name, cola)


def test_without_files_tensorflow_datasets_is_asked():
    data = glue_data("glue/mnli")
    assert (data.train, data.validation, data.test) == (
        "tfds:glue/mnli@train", "tfds:glue/mnli@validation_matched", "tfds:glue/mnli@validation_mismatched")
    assert data.task.text_columns == ("premise", "hypothesis") and data.task.label_column == "label"


def test_submissions_that_cannot_be_packed_are_refused(tmp_path):
    for run in ("a", "b"):
        (tmp_path / run / "submission").mkdir(parents=True)
        (tmp_path / run / "submission" / "RTE.tsv").write_text("index\tprediction\n")
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match=r"RTE.tsv is in .*a and in .*b; give one of them"):
        zip_submissions([tmp_path / "a", tmp_path / "b"], tmp_path / "out.zip")
    with pytest.raises(InputError, match=r"c holds no submission/\*.tsv; fine-tune with --task=glue/NAME"):
        zip_submissions([tmp_path / "a", tmp_path / "c"], tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_scores_of_stsb_are_cut_to_the_range_of_the_training_scores(tmp_path):
    keras.utils.set_random_seed(0)
    model = ElectraTextRegressor(ElectraEncoder(tiny_config(num_layers=1)), score_range=(0, 5), pairs=True,
                                 preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=20))
    scatter_weights(model, seed=0)
    pairs = list(zip(reviews(30, seed=0)[0], reviews(30, seed=1)[0], strict=True))
    outputs = model(model.preprocessor(tuple(zip(*pairs)))).numpy()
    model.classifier.kernel.assign(model.classifier.kernel / outputs.std())  # in the mean 0.5, many below 0 and above 1
    model.classifier.bias.assign((model.classifier.bias - outputs.mean(axis=0)) / outputs.std() + 0.5)
    data = glue_data("glue/stsb", write_glue(tmp_path, "stsb"))
    write_lines(tmp_path / "STS-B" / "test.tsv", ["index\tsentence1\tsentence2", *(
        f"{number}\t{first}\t{second}" for number, (first, second) in enumerate(pairs))])
    path, = write_submission(tmp_path, model, data)
    assert path.name == "STS-B.tsv"
    answers = model.predict(pairs, verbose=0)
    assert answers.min() < 0 and answers.max() > 5
    lines = path.read_text().splitlines()
    assert lines == ["index\tprediction", *(f"{number}\t{min(max(score, 0), 5):.3f}" for number, score in
                                            enumerate(answers.tolist()))]
    assert {"0.000", "5.000"} < {line.split("\t")[1] for line in lines}
    assert all(re.fullmatch(r"\d+\t[0-5]\.\d{3}", line) for line in lines[1:])


def test_both_halves_of_mnli_are_answered_each_from_its_own_file(tmp_path):
    data = glue_data("glue/mnli", write_glue(tmp_path, "mnli"))
    model = AnswersByText(LABELS["mnli"])
    matched, mismatched = write_submission(tmp_path, model, data)
    assert [path.name for path in (matched, mismatched)] == ["MNLI-m.tsv", "MNLI-mm.tsv"]
    for path, file in ((matched, "test_matched"), (mismatched, "test_mismatched")):
        answers = model.answers([tuple(texts_of(file, row, 2)) for row in range(ROWS)])
        assert path.read_text().splitlines() == ["index\tprediction", *(
            f"{row}\t{answer}" for row, answer in enumerate(answers))]
    assert matched.read_text() != mismatched.read_text()
    assert set(answers) <= {"entailment", "neutral", "contradiction"} and len(set(answers)) > 1


@pytest.mark.parametrize("name, folder, test", [
    ("rte", "RTE", "dev"), ("cola", "CoLA", "dev"), ("mnli", "MNLI", "dev_mismatched")])
def test_with_folds_the_official_validation_set_is_the_test_set(tmp_path, name, folder, test):
    data = glue_data(f"glue/{name}", write_glue(tmp_path, name), folds=True)
    assert (data.train, data.validation, data.test) == (
        f"{tmp_path}/{folder}/train.tsv", None, f"{tmp_path}/{folder}/{test}.tsv")
    assert glue_data(f"glue/{name}", tmp_path, folds=True, test="mine.tsv").test == "mine.tsv"
    prepared = glue_data(f"glue/{name}", folds=True)
    assert (prepared.train, prepared.validation, prepared.test) == (
        f"tfds:glue/{name}@train", None, f"tfds:glue/{name}@{test.replace('dev', 'validation')}")
    own = glue_data(f"glue/{name}", train="mine.tsv", folds=True)
    assert (own.train, own.validation, own.unlabelled) == ("mine.tsv", None, {})
    (tmp_path / folder / f"{test}.tsv").unlink()
    with pytest.raises(InputError, match=f"{folder} has no {test}.tsv .*give the folder of .*, or --test"):
        glue_data(f"glue/{name}", tmp_path, folds=True)


@pytest.mark.parametrize("flag, message", [
    ("--text_columns=sentence", "--text_columns says nothing to --task=glue/cola; its options are --long_text, "
                                "--stride."),
    ("--label_column=label", "--label_column says nothing to --task=glue/cola; its options are"),
    ("--label_separator=,", "--label_separator says nothing to --task=glue/cola; its options are"),
    ("--stride=7", "stride=7 says nothing to long_text='truncate'; choose mean, max or first with it")])
def test_options_that_say_nothing_to_a_task_of_glue_are_refused(cola, tmp_path, capsys, flag, message):
    assert run(finetune.main, finetune.Flags, "--task=glue/cola", f"--data_dir={cola}", "--model=none",
               f"--output={tmp_path}/run", flag) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "run").exists()
