"""What the fine-tuning job makes of its flags and prints of several trials, restarts, folds and ensembles."""

import json
import re

import pytest

import electra_tf
from electra_tf.tasks import finetuning_loop
from electra_tf.tasks.task_models import load_task_model
from experiments import finetune
from tests.experiments import in_process
from tests.tasks.glue_files import write_glue
from tests.tasks.tiny import reviews, save_networks, write_tsv

pytestmark = [pytest.mark.usefixtures("eagerly"), pytest.mark.filterwarnings(
    "ignore:.*Even though the `tf.config.experimental_run_functions_eagerly` option is set")]
FAST = ("--sequence_length=20", "--batch_size=16", "--epochs=1", "--evaluations_per_epoch=1", "--random_weights")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a pretrained model, two labelled sets and RTE as the official download has it."""
    folder = tmp_path_factory.mktemp("data")
    save_networks(folder / "pretrained")
    for name, count, seed in (("train", 40, 0), ("validation", 20, 1)):
        write_tsv(folder / f"{name}.tsv", *reviews(count, seed=seed))
    return write_glue(folder, "rte", count=24)


@pytest.fixture
def run(data, tmp_path, capsys):
    """Runs the job, to the folder `run`; what it printed, or with an exit code of 2 its error."""
    def run_job(*flags, code=0):
        capsys.readouterr()
        in_process.run(finetune, f"--model={data}/pretrained", f"--output={tmp_path}/run", *FAST, *flags, code=code)
        printed = capsys.readouterr()
        return printed.err if code else printed.out
    return run_job


@pytest.fixture
def files(data):
    return (f"--train={data}/train.tsv", f"--validation={data}/validation.tsv", "--text_columns=sentence",
            "--label_column=label")


@pytest.fixture
def first_collapses(monkeypatch):
    """The first attempt of a run counts as collapsed: at its one evaluation, and at its end."""
    judged = []

    def collapse_of(scores, **others):
        judged.append(scores)
        return "constant prediction" if len(judged) <= 2 else None

    monkeypatch.setattr(finetuning_loop, "collapse_of", collapse_of)


def seeds_in(table):
    """The seeds in a printed table, in its order."""
    lines = table.splitlines()
    assert lines[0].split() == ["trial", "seed", "score", "best", "step", "collapsed"]
    return [int(line.split()[1]) for line in lines[1:] if re.match(r" +\d+ +\d+ +\d\.\d{4}", line)]


@pytest.mark.usefixtures("first_collapses")
def test_several_trials_with_restarts_are_a_table(run, files):
    printed = run(*files, "--num_trials=2", "--max_restarts=1")
    assert seeds_in(printed) == [0, 2, 1]
    assert "constant prediction" in printed and "(restart 1)" in printed and "accuracy of 2 trials: median" in printed
    assert "1 collapsed attempt was restarted with other seeds; without restarts: median" in printed
    assert "standard deviation" in printed and "95 % bootstrap interval of the mean" in printed
    assert re.search("^settings hash [0-9a-f]{12}$", printed, re.MULTILINE)


@pytest.mark.usefixtures("first_collapses")
def test_one_trial_that_was_restarted_is_a_table_too(run, files):
    printed = run(*files, "--max_restarts=1")
    assert seeds_in(printed) == [0, 1]
    assert "accuracy of 1 trial: median" in printed and "without restarts: median" in printed


def test_one_trial_is_a_short_table(run, files, tmp_path):
    printed = run(*files)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert seeds_in(printed) == [0]
    assert printed.splitlines()[2:4] == [
        f"accuracy of 1 trial: median {result['median']:.4f}, mean {result['mean']:.4f}; one trial shows no spread",
        f"settings hash {result['settings_hash'][:12]}"]
    assert printed.splitlines()[4].startswith(f"validation: accuracy {result['median']:.4f}")


def test_folds_of_a_task_of_glue_make_an_ensemble_and_are_scored_on_its_validation_set(run, data, tmp_path):
    printed = run("--task=glue/rte", f"--data_dir={data}", "--folds=3", "--ensemble", "--long_text=mean", "--stride=7")
    assert seeds_in(printed) == [0, 1, 2] and "accuracy of 3 trials: median" in printed
    assert "ensemble, test: accuracy" in printed and "for the leaderboard: " in printed
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["task"], result["split"], result["num_trials"]) == ("glue/rte", "test", 3)
    assert result["examples"] == {"train": 24, "test": 24} and result["settings"]["validation"] is None
    assert result["settings"]["train"] == f"{data}/RTE/train.tsv"
    assert result["settings"]["test"] == f"{data}/RTE/dev.tsv"
    assert (result["settings"]["long_text"], result["settings"]["stride"]) == ("mean", 7)
    ensemble, model = (load_task_model(tmp_path / "run" / name) for name in ("ensemble", "model"))
    assert len(ensemble.members) == 3
    assert {(one.long_text, one.stride) for one in (ensemble, model)} == {("mean", 7)}
    assert len((tmp_path / "run" / "submission" / "RTE.tsv").read_text().splitlines()) == 25


def test_the_settings_of_a_run_on_a_task_of_glue_repeat_it(run, data, tmp_path, capsys):
    run("--task=glue/rte", f"--data_dir={data}")
    in_process.run(finetune, f"--config={tmp_path}/run/settings.json", "--seed=2", f"--output={tmp_path}/again")
    settings = [json.loads((tmp_path / name / "settings.json").read_text()) for name in ("run", "again")]
    assert settings[1] == {**settings[0], "seed": 2}
    assert "--text_columns says nothing to --task=glue/rte" in run(
        "--task=glue/rte", f"--data_dir={data}", "--text_columns=hypothesis,premise", code=2)


def test_a_validation_set_beside_folds_is_refused(run, data):
    error = run("--task=glue/rte", f"--data_dir={data}", "--folds=3", f"--validation={data}/RTE/dev.tsv", code=2)
    assert "a validation set and folds exclude each other; give one of them" in error


def test_a_job_that_was_killed_before_its_submission_writes_that_and_the_report_when_it_is_run_again(
        run, data, tmp_path, monkeypatch):
    flags = ("--task=glue/rte", f"--data_dir={data}")

    def refuse(*_):
        raise electra_tf.InputError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(electra_tf, "write_submission", refuse)
        assert "killed" in run(*flags, code=2)
    result = (tmp_path / "run" / "result.json").read_text()
    assert not (tmp_path / "run" / "submission").exists() and not (tmp_path / "run" / "report.html").exists()
    printed = run(*flags)
    assert f"for the leaderboard: {tmp_path}/run/submission/RTE.tsv" in printed and seeds_in(printed) == [0]
    assert len((tmp_path / "run" / "submission" / "RTE.tsv").read_text().splitlines()) == 25
    assert (tmp_path / "run" / "report.html").is_file() and (tmp_path / "run" / "result.json").read_text() == result
    assert "holds a finished run with these settings" in run(*flags, code=2)
