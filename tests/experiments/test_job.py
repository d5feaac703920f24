"""A job's command line: flags made from dataclasses, files of settings, one sentence for what is wrong."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest

from electra_tf import config
from electra_tf.errors import InputError
from electra_tf.training.run_folder import create_run_folder
from experiments import job


@dataclasses.dataclass(frozen=True)
class Flags:
    """Trains a toy on records.

    It has a flag of each kind.
    """

    data: str = job.required("folder of records")
    columns: tuple[str, ...] = job.required("columns of the file, separated by commas")
    preset: str = config.setting("small", "named size")
    init_from: str | None = config.setting(None, "model folder to start from")
    compress: bool = config.setting(False, "compress what is written")
    share: float = config.setting(0.5, "part of the data that is used")
    workers: int = config.setting(2, "number of processes")
    settings: config.PretrainingConfig = job.settings_from("preset", named=config.preset)

    def __post_init__(self):
        if self.workers < 1:
            raise InputError(f"--workers={self.workers} must be 1 or more.")


@dataclasses.dataclass(frozen=True)
class PlainFlags:
    """Counts."""

    output: str = job.required("folder")
    masking: config.MaskingConfig = dataclasses.field(default_factory=config.MaskingConfig)


NEEDED = ("--data=records", "--columns=a")


def read(*arguments, flags_class=Flags):
    return job.read_flags(flags_class, ["toy.py", *arguments])


def write_json(path, values):
    path.write_text(json.dumps(values))
    return f"--config={path}"


def test_defaults_are_those_of_the_dataclasses():
    flags = read(*NEEDED)
    assert flags == Flags(data="records", columns=("a",), settings=config.PRESETS["small"])


def test_each_kind_of_flag_is_converted():
    flags = read("--data", "r", "--columns=a,b", "--columns", '"c,d",e', "--compress", "--share=1e-1", "--workers=3",
                 "--init_from=runs/x", "--seed=7")
    assert (flags.data, flags.columns, flags.compress, flags.share, flags.workers) == (
        "r", ("a", "b", "c,d", "e"), True, 0.1, 3)
    assert (flags.init_from, flags.settings.seed) == ("runs/x", 7)
    assert read(*NEEDED, "--compress", "--nocompress", "--init_from=None").compress is False


def test_the_named_set_gives_the_defaults_and_flags_change_them():
    flags = read(*NEEDED, "--preset=tiny", "--batch_size=8", "--set", "optimizer.learning_rate=0.25",
                 "--set=model.num_layers=3")
    tiny = config.PRESETS["tiny"]
    assert flags.settings == dataclasses.replace(
        tiny, batch_size=8, model=dataclasses.replace(tiny.model, num_layers=3),
        optimizer=dataclasses.replace(tiny.optimizer, learning_rate=0.25))


def test_settings_that_are_right_only_together_are_accepted():
    flags = read(*NEEDED, "--sequence_length=1024", "--set=model.max_positions=1024")
    assert (flags.settings.sequence_length, flags.settings.model.max_positions) == (1024, 1024)


def test_a_settings_field_without_a_named_set():
    flags = read("--output=o", "--mask_rate=0.25", "--set=temperature=2", flags_class=PlainFlags)
    assert flags == PlainFlags(output="o", masking=config.MaskingConfig(mask_rate=0.25, temperature=2.0))


@pytest.mark.parametrize(("arguments", "message"), [
    ((), "^--data and --columns must be given; --help shows what each flag takes.$"),
    (("--data=", "--columns=a"), "^--data must be given"),
    (("--data=r", "--columns=,"), "^--columns must be given"),
    ((*NEEDED, "--bach_size=3"), "^flag '--bach_size' does not exist; did you mean '--batch_size'?"),
    ((*NEEDED, "--xyz"), "^flag '--xyz' does not exist; known: --accumulation_steps"),
    ((*NEEDED, "--learning_rate=1"), "^flag '--learning_rate' does not exist; write --set optimizer.learning_rate=VAL"),
    ((*NEEDED, "--model.num_layers=1"), "^flag '--model.num_layers' does not exist; write --set model.num_layers=VAL"),
    ((*NEEDED, "--workers=two"), "^workers='two' is not int; give a value like 128.$"),
    ((*NEEDED, "--workers=0"), "^--workers=0 must be 1 or more.$"),
    ((*NEEDED, "--share=half"), "^share='half' is not float"),
    ((*NEEDED, "--compress=perhaps"), "^flag --compress=perhaps: .* --help shows what each flag takes.$"),
    ((*NEEDED, "--batch_size=0"), "^batch_size=0 must be a whole number"),
    ((*NEEDED, "--preset=tny"), "^preset 'tny' does not exist; did you mean 'tiny'"),
    ((*NEEDED, "--workers"), "^Missing value for flag --workers; --help shows"),
    ((*NEEDED, "3"), "^argument '3' belongs to no flag; write --name=value, quoted if it has spaces.$"),
    ((*NEEDED, "--set=seed"), "^--set 'seed' has no '='"),
    ((*NEEDED, "--flagfile=missing.txt"), "^--flagfile: .*No such file.*'missing.txt'; give a text file with one flag"),
    ((*NEEDED, "--config=missing.json"), "^missing.json does not exist; give the path of a JSON file.$"),
])
def test_what_is_wrong_is_said_in_one_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        read(*arguments)


# --- files of settings -------------------------------------------------------------------------------------------

def test_a_flagfile_stands_where_it_is_named(tmp_path):
    file = tmp_path / "flags.txt"
    file.write_text("# a comment\n--data=records\n--columns=a,b\n\n--workers=5\n--set=optimizer.warmup_steps=9\n")
    flags = read("--workers=4", f"--flagfile={file}", "--seed=2")
    assert (flags.data, flags.columns, flags.workers) == ("records", ("a", "b"), 5)
    assert (flags.settings.optimizer.warmup_steps, flags.settings.seed) == (9, 2)
    assert read(f"--flagfile={file}", "--workers=4").workers == 4


def test_a_config_file_lies_over_the_named_set_and_under_the_flags(tmp_path):
    given = write_json(tmp_path / "a.json", {
        "data": "records", "columns": "a,b", "preset": "tiny", "compress": True, "init_from": None, "batch_size": 8,
        "seed": 5, "optimizer": {"learning_rate": 0.25, "bias_correction": True}})
    flags = read(given, "--seed=6", "--set=optimizer.learning_rate=0.125")
    assert (flags.data, flags.columns, flags.compress, flags.init_from) == ("records", ("a", "b"), True, None)
    assert (flags.settings.batch_size, flags.settings.seed, flags.settings.train_steps) == (8, 6, 20_000)
    assert (flags.settings.optimizer.learning_rate, flags.settings.optimizer.bias_correction) == (0.125, True)
    assert flags.settings.model == config.PRESETS["tiny"].model


def test_the_settings_file_of_a_run_gives_the_same_settings_again(tmp_path):
    flags = read(*NEEDED, "--preset=mini", "--batch_size=32", "--set=masking.mask_rate=0.2", "--compress")
    folder = create_run_folder(tmp_path / "run", job="toy", settings=job.settings_of(flags), inputs={"records": "abc"})
    assert read(f"--config={folder / 'settings.json'}") == flags


@pytest.mark.parametrize(("columns", "expected"), [
    (["text, raw", "b"], ("text, raw", "b")), ([1, 2], ("1", "2")), (3, ("3",)), ('"text, raw",b', ("text, raw", "b"))])
def test_a_list_in_a_config_file_is_taken_as_it_is_and_text_as_on_the_command_line(tmp_path, columns, expected):
    flags = read("--data=records", write_json(tmp_path / "a.json", {"columns": columns}))
    assert flags.columns == expected
    again = read(write_json(tmp_path / "b.json", {"data": "records", "columns": job.settings_of(flags)["columns"]}))
    assert again.columns == expected


@pytest.mark.parametrize(("values", "message"), [
    ({"bach_size": 8}, "^--config: .*a.json: setting 'bach_size' does not exist; did you mean 'batch_size'"),
    ({"optimizer": {"lerning_rate": 1}}, "a.json: setting 'optimizer.lerning_rate' does not exist; did you mean "
                                         "'optimizer.learning_rate'"),
    ({"optimizer": 3}, "a.json: optimizer is 3; expected an object of settings"),
    ({"batch_size": None}, "^batch_size='None' is not int"),
    ({"workers": [1]}, r"^workers=\[1\] is not int"),
    ({"job": "pretrain"}, "a.json holds settings of the job 'pretrain', this is 'toy'; give a file of this job"),
])
def test_a_wrong_entry_of_a_config_file_is_refused(tmp_path, values, message):
    with pytest.raises(InputError, match=message):
        read(*NEEDED, write_json(tmp_path / "a.json", values))


# --- the process -------------------------------------------------------------------------------------------------

JOB = '''
import dataclasses
import electra_tf
from electra_tf import config
from experiments import job

@dataclasses.dataclass(frozen=True)
class Flags:
    """Divides by its settings."""
    divisor: int = job.required("what to divide by")
    settings: config.MaskingConfig = dataclasses.field(default_factory=config.MaskingConfig)

def main(flags):
    if flags.divisor < 0:
        raise electra_tf.InputError("--divisor is negative;\\ngive a positive one.")
    print(84 / flags.divisor)

if __name__ == "__main__":
    job.run_job(main, Flags)
'''


@pytest.mark.parametrize(("argument", "code", "stdout", "stderr"), [
    ("--divisor=2", 0, "42.0\n", ""),
    ("--divisor=-1", 2, "", "divide.py: --divisor is negative; give a positive one.\n"),
    ("--divizor=2", 2, "", "divide.py: flag '--divizor' does not exist; did you mean '--divisor'?\n"),
])
def test_exit_code_and_one_line_on_stderr(tmp_path, argument, code, stdout, stderr):
    (tmp_path / "divide.py").write_text(JOB)
    done = run(tmp_path, argument)
    assert (done.returncode, done.stdout, done.stderr) == (code, stdout, stderr)


def test_a_defect_keeps_its_traceback(tmp_path):
    (tmp_path / "divide.py").write_text(JOB)
    done = run(tmp_path, "--divisor=0")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "ZeroDivisionError" in done.stderr and "in main" in done.stderr


def test_help_shows_every_flag_with_default_and_description(capsys):
    with pytest.raises(SystemExit) as end:
        job.run_job(pytest.fail, Flags, ["experiments/toy.py", "--preset=tiny", "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("Trains a toy on records.\n")
    assert "usage: python experiments/toy.py --data=... --columns=... [flags]\n" in text
    for field in dataclasses.fields(Flags)[:-1]:
        assert field.metadata["help"] in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "--data=... (required) folder of records" in lines
    assert "--preset=tiny named size" in lines
    assert "--workers=2 number of processes" in lines
    assert any(line.startswith("--batch_size=64 rows in one update") for line in lines)
    rate = config.preset("tiny").optimizer.learning_rate
    assert any(line.startswith(f"optimizer.learning_rate={rate} peak") for line in lines)
    assert max(len(line) for line in text.splitlines()) <= 120


def test_a_job_written_wrongly_is_a_defect():
    @dataclasses.dataclass(frozen=True)
    class Twice:
        seed: int = config.setting(1, "one")
        settings: config.PretrainingConfig = job.settings_from("preset", named=config.preset)

    with pytest.raises(ValueError, match="Twice: one settings field at most, no name twice"):
        read("--seed=3", flags_class=Twice)


def run(folder, *arguments):
    """Runs the job in a folder that is not the checkout, as a user of the checkout's scripts may."""
    root = pathlib.Path(job.__file__).resolve().parents[1]
    return subprocess.run([sys.executable, folder / "divide.py", *arguments], cwd=folder, capture_output=True,
                          text=True, check=False, env={"PYTHONPATH": str(root), "PATH": ""})


def test_a_job_whose_output_nobody_reads_ends_without_a_word():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "experiments/pretrain.py", "--help"], stdout=writing, stderr=subprocess.PIPE,
                          cwd=pathlib.Path(job.__file__).parents[1], timeout=600, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")
