"""`experiments/build_pretraining_data.py` as it is typed."""

import json
import pathlib
import subprocess
import sys

from electra_tf.records.manifest import check_records
from tests.records.conftest import random_documents

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*flags):
    return subprocess.run([sys.executable, ROOT / "experiments" / "build_pretraining_data.py", *flags],
                          capture_output=True, text=True, timeout=600)


def test_the_job_builds_records_with_two_workers(write_corpus, tmp_path, vocabulary):
    vocabulary.save(tmp_path / "vocabulary")
    write_corpus(random_documents(40, seed=1), "a.txt")
    write_corpus(random_documents(5, seed=2), "b.txt")
    done = run(f"--corpus={tmp_path}/*.txt", f"--vocabulary={tmp_path}/vocabulary", f"--output={tmp_path}/records",
               "--sequence_length=24", "--workers=2", "--validation_fraction=0.1", "--seed=7")
    assert done.returncode == 0, done.stderr
    manifest = check_records(tmp_path / "records", sequence_length=24, vocabulary=vocabulary)
    train, validation = manifest.splits["train"], manifest.splits["validation"]
    assert train.documents + validation.documents == 45
    assert f"train: {train.documents} documents, {train.rows} rows in 1 files" in done.stdout
    assert "0.0% of the tokens dropped" in done.stdout
    assert "Building records: " in done.stderr
    assert "MB/s" in done.stderr
    settings = json.loads((tmp_path / "records" / "settings.json").read_text())
    assert (settings["job"], settings["seed"], settings["packing"]) == ("build_pretraining_data", 7, "carry_over")
    assert json.loads((tmp_path / "records" / "versions.json").read_text())["python"]

    again = run(f"--corpus={tmp_path}/*.txt", f"--vocabulary={tmp_path}/vocabulary", f"--output={tmp_path}/records")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("build_pretraining_data.py: ")
    assert "records holds other work" in again.stderr
    assert len(again.stderr.splitlines()) == 1


def test_the_settings_of_a_build_repeat_it(write_corpus, tmp_path, vocabulary):
    vocabulary.save(tmp_path / "vocabulary")
    corpus = write_corpus([*random_documents(8, seed=3), ["bababa xyzzy"]])
    corpus.write_bytes(corpus.read_bytes() + b"\xff\n")
    first = run(f"--corpus={corpus}", f"--vocabulary={tmp_path}/vocabulary", f"--output={tmp_path}/first",
                "--packing=full_sequence", "--sequence_length=16", "--compression=gzip")
    assert first.returncode == 0, first.stderr
    assert "1 bytes of the corpus are not UTF-8 and were left out" in first.stderr
    second = run(f"--config={tmp_path}/first/settings.json", f"--output={tmp_path}/second")
    assert second.returncode == 0, second.stderr
    assert (tmp_path / "first" / "manifest.json").read_bytes() == (tmp_path / "second" / "manifest.json").read_bytes()
