"""What a fine-tuning run tells of itself; no other folder is taken for one."""

import json

import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.options import MultiLabel, TextClassification
from electra_tf.tasks.tuned_run import kept_trial, options_of_run, result_of_run

RESULT = {"trials": [{"seed": 3, "best_step": 10}, {"seed": 4, "best_step": 20}], "best_seed": 4,
          "settings": {"text_columns": ["a", "b"], "label_column": "c", "label_separator": ";", "learning_rate": 1e-4}}


def write_folder(folder, *, model="model", result=RESULT):
    (folder / model).mkdir(parents=True)
    (folder / model / "config.json").write_text("{}")
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_options_are_those_of_the_task_alone(tmp_path):
    run = write_folder(tmp_path / "run")
    assert options_of_run(run, MultiLabel, "dev.tsv") == {
        "text_columns": ("a", "b"), "label_column": "c", "label_separator": ";"}
    assert options_of_run(run, TextClassification, "dev.tsv") == {"text_columns": ("a", "b"), "label_column": "c"}


@pytest.mark.parametrize("data, columns", [
    ("dev.tsv", {"text_columns": ("3",), "label_column": "1"}),
    ("tfds:glue/cola@validation", {"text_columns": ("sentence",), "label_column": "label:number"})])
@pytest.mark.parametrize("of_run", [("3", "1"), ("sentence", "label:number")])
def test_a_run_of_glue_reads_official_files_and_tensorflow_datasets_wherever_its_own_sets_came_from(
        tmp_path, of_run, data, columns):
    settings = {"task": "glue/cola", "text_columns": [of_run[0]], "label_column": of_run[1], "long_text": "max"}
    run = write_folder(tmp_path / "run", result={**RESULT, "settings": settings})
    assert options_of_run(run, TextClassification, data) == {**columns, "long_text": "max"}


def test_the_kept_trial_is_the_one_whose_model_lies_there(tmp_path):
    assert kept_trial(result_of_run(write_folder(tmp_path / "run")))["best_step"] == 20
    assert kept_trial({}) == {}


def test_other_folders_are_no_fine_tuning_runs(tmp_path):
    pretraining, model = write_folder(tmp_path / "pretraining", model="discriminator"), write_folder(tmp_path / "model")
    (model / "config.json").write_text("{}")
    unfinished = write_folder(tmp_path / "unfinished")
    (unfinished / "result.json").unlink()
    for folder in (pretraining, model, unfinished, tmp_path / "nowhere"):
        assert result_of_run(folder) == {} == options_of_run(folder, TextClassification, "dev.tsv")


def test_a_broken_result_is_named(tmp_path):
    run = write_folder(tmp_path / "run")
    (run / "result.json").write_text("{")
    with pytest.raises(InputError, match="result.json"):
        result_of_run(run)
