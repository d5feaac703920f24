"""The folder of one run: settings, versions and result beside what the run makes; other work is never touched.

`settings.json` says what decides the run. The same command on the same folder resumes where the settings are equal.
"""

import importlib.metadata
import json
import pathlib
import platform
import shutil
import subprocess

import electra_tf
from electra_tf.config import read_json
from electra_tf.errors import InputError
from electra_tf.files import new_folder, some_names, write_json_atomically

SETTINGS_FILE = "settings.json"
VERSIONS_FILE = "versions.json"
RESULT_FILE = "result.json"
INPUTS = "inputs"

_PACKAGES = ("tensorflow", "keras", "tensorflow-text", "numpy", "tokenizers", "safetensors")


def create_run_folder(path, *, job, settings, inputs=None, resume=False, free=()):
    """Makes the folder of a run with what decides it, or accepts the run's own folder to go on in.

    Args:
        path: folder; missing or empty, or with `resume` one that this call made before with equal settings.
        job: name of the job, such as "pretrain".
        settings: dict ready for JSON, named as the job's flags (`config.to_dict` and more), so that the file can be
            given back as --config.
        inputs: dict of what else decides the result and is no flag, such as the hash of the data.
        resume: accept a folder of the same job, settings and inputs.
        free: names of settings that may differ when a run goes on: where things lie, how often is logged.

    Returns:
        pathlib.Path of the folder.

    Raises:
        InputError: the folder holds other work, or a run of another job, other settings or inputs (named, with both
            values).

    >>> create_run_folder("runs/small", job="pretrain", settings={"seed": 0}, resume=True)
    """
    path = pathlib.Path(path)
    if resume and (path / SETTINGS_FILE).is_file():
        _require_same(path, _settings_file(job, settings, inputs), free=free)
        return path
    # Both files appear with the folder: a job killed meanwhile has left nothing that would look like other work.
    with new_folder(path) as folder:
        write_settings(folder, job=job, settings=settings, inputs=inputs)
    return path


def write_settings(path, *, job, settings, inputs=None):
    """Writes `settings.json` and `versions.json` into a folder that a job made; arguments as of `create_run_folder`.

    >>> write_settings("records", job="build_pretraining_data", settings={"seed": 0})
    """
    write_json_atomically(pathlib.Path(path) / SETTINGS_FILE, _settings_file(job, settings, inputs))
    write_json_atomically(pathlib.Path(path) / VERSIONS_FILE, versions())


def write_result(path, result):
    """Writes `result.json` into a run folder.

    Args:
        path: the run folder.
        result: dict ready for JSON.

    >>> write_result("runs/small", {"discriminator_loss": 0.21})
    """
    write_json_atomically(pathlib.Path(path) / RESULT_FILE, result)


def versions():
    """Dict of what ran: Python, packages, and the git commit of the code where it is a checkout.

    >>> versions()["tensorflow"]   # '2.21.0'
    """
    found = {"electra_tf": electra_tf.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        found[package] = _version_of(package)
    return {**found, "platform": platform.platform(), **_git_state()}


def _settings_file(job, settings, inputs):
    return {"job": job, **({INPUTS: inputs} if inputs else {}), **settings}


def _require_same(path, wanted, *, free):
    found = read_json(path / SETTINGS_FILE)
    wanted = json.loads(json.dumps(wanted))     # tuples as the file has them
    if found.get("job") != wanted["job"]:
        raise InputError(f"{path} holds a run of the job {found.get('job')!r}, this is {wanted['job']!r}; "
                         f"give a new folder.")
    found, wanted = _flat(found), _flat(wanted)
    differences = [f"{name} is {found.get(name)!r} there and {wanted.get(name)!r} here"
                   for name in sorted({*found, *wanted} - set(free)) if found.get(name) != wanted.get(name)]
    if differences:
        raise InputError(f"{path} holds a run with other settings ({some_names(differences)}); "
                         f"resume it with its own settings or give a new folder.")


def _flat(values, prefix=""):
    """Nested settings under dotted names, as --set has them."""
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_state():
    """Commit and whether tracked files differ from it; empty where the code is no checkout or git is missing."""
    code = pathlib.Path(electra_tf.__file__).resolve().parent
    if shutil.which("git") is None or not (code.parent / ".git").exists():
        return {}
    commit = _git(code, "rev-parse", "HEAD")
    if commit is None:
        return {}
    return {"git_commit": commit, "git_changed_files": bool(_git(code, "status", "--porcelain", "-uno"))}


def _git(folder, *arguments):
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
