"""A run folder says what decided the run, goes on only with the same, and never touches other work."""

import json
import platform
import subprocess

import numpy
import pytest

import electra_tf
from electra_tf.config import OptimizerConfig, PretrainingConfig, to_dict, with_overrides
from electra_tf.errors import InputError
from electra_tf.training import run_folder

SETTINGS = {"data": "records", "seed": 3, "columns": ("a", "b"), "optimizer": {"learning_rate": 5e-4}}


def make(path, *, settings=SETTINGS, job="pretrain", **options):
    return run_folder.create_run_folder(path, job=job, settings=settings, **options)


def test_settings_and_versions_are_written(tmp_path):
    folder = make(tmp_path / "runs" / "small", inputs={"records": "abc"})
    assert sorted(path.name for path in folder.iterdir()) == ["settings.json", "versions.json"]
    assert json.loads((folder / "settings.json").read_text()) == {
        "job": "pretrain", "inputs": {"records": "abc"}, "data": "records", "seed": 3, "columns": ["a", "b"],
        "optimizer": {"learning_rate": 5e-4}}
    versions = json.loads((folder / "versions.json").read_text())
    assert versions["electra_tf"] == electra_tf.__version__
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == numpy.__version__
    assert versions["tensorflow"].startswith("2.") and versions["keras"].startswith("3.")


def test_the_commit_of_a_checkout_is_recorded_and_whether_files_changed(tmp_path, monkeypatch):
    package = tmp_path / "electra_tf"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(electra_tf, "__file__", str(package / "__init__.py"))
    assert "git_commit" not in run_folder.versions()

    def git(*arguments):
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(["git", "-C", tmp_path, *author, *arguments], check=True, capture_output=True,
                              text=True).stdout.strip()

    git("init", "-q")
    assert "git_commit" not in run_folder.versions()
    git("add", ".")
    git("commit", "-qm", "one")
    found = run_folder.versions()
    assert (found["git_commit"], found["git_changed_files"]) == (git("rev-parse", "HEAD"), False)
    (package / "__init__.py").write_text("changed = True")
    assert run_folder.versions()["git_changed_files"] is True


def test_settings_are_written_into_a_folder_that_a_job_made(tmp_path):
    (tmp_path / "part-0").write_text("rows")
    run_folder.write_settings(tmp_path, job="build", settings={"seed": 3})
    assert json.loads((tmp_path / "settings.json").read_text()) == {"job": "build", "seed": 3}
    assert json.loads((tmp_path / "versions.json").read_text()) == run_folder.versions()


def test_the_result_is_written_beside_them(tmp_path):
    folder = make(tmp_path / "run")
    run_folder.write_result(folder, {"loss": 0.25, "steps": 7})
    assert json.loads((folder / "result.json").read_text()) == {"loss": 0.25, "steps": 7}


def test_other_work_is_refused_and_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(InputError, match=r"holds other work \(thesis.tex\), which is never overwritten"):
        make(tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_of_its_own_is_refused_without_resume(tmp_path):
    make(tmp_path / "run")
    with pytest.raises(InputError, match=r"holds other work \(settings.json, versions.json\)"):
        make(tmp_path / "run")


def test_the_same_settings_resume_and_change_nothing(tmp_path):
    folder = make(tmp_path / "run", inputs={"records": "abc"}, resume=True)
    (folder / "checkpoints").mkdir()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert make(folder, inputs={"records": "abc"}, resume=True) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize(("change", "message"), [
    ({"seed": 4}, "seed is 3 there and 4 here"),
    ({"optimizer": {"learning_rate": 1e-3}}, "optimizer.learning_rate is 0.0005 there and 0.001 here"),
    ({"columns": ("a",)}, r"columns is \['a', 'b'\] there and \['a'\] here"),
    ({"batch_size": 64}, "batch_size is None there and 64 here"),
    ({"inputs": {"records": "xyz"}}, "inputs.records is 'abc' there and 'xyz' here"),
])
def test_a_difference_is_named_with_both_values(tmp_path, change, message):
    folder = make(tmp_path / "run", inputs={"records": "abc"})
    with pytest.raises(InputError, match=message + r"\); resume it with its own settings or give a new folder"):
        make(folder, settings={"inputs": {"records": "abc"}, **SETTINGS, **change}, resume=True)


def test_every_field_of_a_pretraining_config_is_compared(tmp_path):
    config = PretrainingConfig(optimizer=OptimizerConfig(warmup_steps=11))
    make(tmp_path / "run", settings=to_dict(config))
    assert make(tmp_path / "run", settings=to_dict(config), resume=True)
    other = with_overrides(config, ["model.num_layers=5", "optimizer.beta_1=0.8"])
    with pytest.raises(InputError, match="model.num_layers is 12 there and 5 here, optimizer.beta_1 is 0.9 there"):
        make(tmp_path / "run", settings=to_dict(other), resume=True)


def test_free_settings_may_differ(tmp_path):
    make(tmp_path / "run")
    moved = {**SETTINGS, "data": "elsewhere/records"}
    assert make(tmp_path / "run", settings=moved, resume=True, free=("data",))
    with pytest.raises(InputError, match="data is 'records' there"):
        make(tmp_path / "run", settings=moved, resume=True)


def test_a_run_of_another_job_is_refused(tmp_path):
    make(tmp_path / "run")
    with pytest.raises(InputError, match="holds a run of the job 'pretrain', this is 'finetune'; give a new folder"):
        make(tmp_path / "run", job="finetune", resume=True)


def test_a_job_killed_while_the_folder_is_made_can_start_again(tmp_path, monkeypatch):
    def killed():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_folder, "versions", killed)
        make(tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()
    assert make(tmp_path / "run", resume=True).is_dir()


def test_a_damaged_settings_file_is_reported_with_its_place(tmp_path):
    folder = make(tmp_path / "run")
    (folder / "settings.json").write_text('{"job": ')
    with pytest.raises(InputError, match="settings.json, line 1, column 9: not JSON"):
        make(folder, resume=True)
