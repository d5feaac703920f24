"""The benchmark of training steps: what it compares, when it refuses to, and one run of it against real peers."""

import json
import math
import pathlib
import subprocess
import sys

import pytest

from benchmarks import step_variants
from benchmarks.alternation import best_instructions, describe_machine, names_out_of
from benchmarks.step_variants import MATMUL_PRECISIONS, OURS, OURS_WITHOUT_KERNELS, PEERS, Size, variants_of
from benchmarks.training_step import differing, matmul_peaks, ratio, row_of_results, summary, table

ROOT = pathlib.Path(__file__).resolve().parents[2]
TORCH_PYTHON = ROOT / ".venv-torch/bin/python"
SIZE = Size("small", 128, 16)
PRECISION_OF = {"ours": "float32", "peer": "float32", "peer in 16 bits": "bfloat16"}


def variants(peers=tuple(PEERS), precisions=MATMUL_PRECISIONS):
    return variants_of(SIZE, peers=peers, precisions=precisions, folder="folder",
                       interpreters={"torch": "python", "model_garden": "python"})


def row(seconds, *, is_ours=False, precision="float32", is_whole_step=True):
    return {"name": "one", "seconds": seconds, "is_ours": is_ours, "precision": precision,
            "is_whole_step": is_whole_step, "tokens_per_second": seconds and 1 / seconds}


def test_equal_losses_are_found_equal():
    losses = {"ours": {"loss": 9.0, "norm": -2.0}, "peer": {"loss": 9.008, "norm": -1.999},
              "peer in 16 bits": {"loss": 9.1, "norm": -2.03}}
    assert differing(losses, PRECISION_OF) == []


@pytest.mark.parametrize(("name", "value"), [("peer", 9.01), ("peer in 16 bits", 9.2), ("peer", float("nan"))])
def test_another_loss_is_named(name, value):
    losses = {"ours": {"loss": 9.0}, name: {"loss": value}}
    assert differing(losses, PRECISION_OF) == [f"{name}: loss is {value:g}, expected 9"]


def test_ratios_compare_the_best_of_both_sides():
    rows = [row(2.0, is_ours=True), row(1.0, is_ours=True, precision="bfloat16"), row(4.0), row(6.0),
            row(3.0, precision="bfloat16"), row(0.5, is_whole_step=False), row(None)]
    assert ratio(rows, ("float32",)) == 2.0
    assert ratio(rows, MATMUL_PRECISIONS) == 3.0
    assert ratio(rows[:2], MATMUL_PRECISIONS) is None


def test_the_summary_counts_tokens_and_the_share_of_the_peak():
    ours, *_ = chosen = variants(peers=["keras_hub"], precisions=["float32"])
    kept = {"other_load": 0.0, "is_kept": True, "peak_memory": 2**30}
    rounds = {ours.name: [{**kept, "seconds": 2.0, "peak": 8e9}, {**kept, "seconds": 4.0, "peak": 12e9},
                          {**kept, "seconds": 9.0, "peak": 90e9, "is_kept": False, "peak_memory": 2**31}]}
    peaks = matmul_peaks(chosen, rounds)
    assert peaks == {"float32": {"flops_per_second": 10e9, "by": ours.name}}
    (found,) = rows = summary(chosen, rounds, size=SIZE, flops=15e9, peaks=peaks)
    assert (found["seconds"], found["kept_rounds"], found["dropped_rounds"]) == (3.0, 2, 1)
    assert found["tokens_per_second"] == pytest.approx(128 * 16 / 3)
    assert found["fraction_of_peak"] == pytest.approx(0.5) and found["peak_memory"] == 2**31
    assert table(rows, with_memory=True).splitlines()[-1] == (
        "| ours float32 | 3.000 (2.000-4.000) | 683 | 50% | 2 (1) | 2.00 |")


def test_no_kept_round_and_no_ratio_are_shown_as_such():
    ours, *_ = chosen = variants(peers=["keras_hub"], precisions=["float32"])
    rounds = {ours.name: [{"seconds": 1.0, "peak": 1.0, "is_kept": False, "peak_memory": 1, "other_load": 0.9}]}
    rows = summary(chosen, rounds, size=SIZE, flops=1, peaks=matmul_peaks(chosen, rounds))
    assert table(rows, with_memory=False).splitlines()[-1] == "| ours float32 | - | - | - | 0 (1) |"
    cells = row_of_results(SIZE, rows, {"ratio_float32": None, "ratio_any_precision": None})
    assert cells["size (length x batch)"] == "small, 128 x 16" and cells["ratio, float32"] == "-"
    assert cells["processor"] == best_instructions() and cells["processor"] in describe_machine()


def test_every_precision_of_ours_and_every_peer_takes_part():
    found = variants()
    assert {variant.name for variant in found if variant.is_ours} == set(OURS | OURS_WITHOUT_KERNELS)
    assert {variant.precision for variant in found if variant.is_ours} == set(MATMUL_PRECISIONS)
    theirs = [variant.name for variant in found if not variant.is_ours]
    assert sum("compiled" in name for name in theirs) == 3 and sum("KerasHub" in name for name in theirs) == 2
    assert len({variant.name for variant in found}) == len(found)
    assert all(variant.precision == "float32" for variant in variants(precisions=["float32"]))
    assert {variant.precision for variant in found if variant.measures_peak} == set(MATMUL_PRECISIONS)


@pytest.mark.parametrize(("instructions", "expected"), [
    ("AMX", ["float32", "bfloat16"]), ("AVX-512 BF16", ["float32", "bfloat16"]), ("AVX-512", ["float32"]),
    ("AVX2", ["float32"]), ("", ["float32"])])
def test_what_the_processor_cannot_multiply_is_not_timed_unless_asked_for(monkeypatch, instructions, expected):
    monkeypatch.setattr(step_variants, "best_instructions", lambda: instructions)
    assert step_variants.native_precisions() == expected


def test_a_size_is_a_preset_with_dropout_and_room_for_its_length():
    config = Size("tiny", 1024, 2).config(("precision=bfloat16",))
    assert (config.model.hidden_dropout, config.model.attention_dropout) == (0.1, 0.1)
    assert (config.model.max_positions, config.sequence_length, config.batch_size) == (1024, 1024, 2)
    assert config.precision == "bfloat16" and config.optimizer.word_embeddings_rate == 1
    assert SIZE.slots == 19


def test_an_unknown_peer_is_refused(capsys):
    done = subprocess.run([sys.executable, ROOT / "benchmarks/training_step.py", "--peers=huggingface,jax",
                           "--output=never.json"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'jax' is not known; choose out of huggingface, keras_hub, model_garden" in done.stderr
    assert names_out_of(PEERS)("keras_hub") == ["keras_hub"]


def test_a_peer_without_its_environment_is_refused():
    done = subprocess.run([sys.executable, ROOT / "benchmarks/training_step.py", "--peers=huggingface",
                           "--torch_python=nowhere/python", "--output=never.json"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2 and "--torch_python=nowhere/python is no file; --peers=huggingface needs" in done.stderr


@pytest.mark.interoperability
def test_the_step_of_hugging_face_has_our_losses(tmp_path):
    if not TORCH_PYTHON.is_file():
        pytest.skip("needs PyTorch and transformers in .venv-torch; `make interoperability` installs them")
    done = subprocess.run([
        sys.executable, ROOT / "benchmarks/training_step.py", "--preset=tiny", "--sequence_length=32", "--batch_size=4",
        "--peers=huggingface", "--without=compiled,plain", "--precisions=float32,bfloat16", "--rounds=1",
        "--steps_per_round=1", "--most_other_load=inf",
        f"--torch_python={TORCH_PYTHON}", f"--output={tmp_path / 'found.json'}"], capture_output=True, text=True,
        check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["failures"] == {} and found["losses_differ"] == [] and len(found["losses"]) == 5
    assert found["ratio_float32"] > 0 and found["ratio_any_precision"] > 0
    ours, theirs = found["losses"]["ours float32"], next(
        losses for name, losses in found["losses"].items() if name.startswith("Hugging Face float32"))
    assert theirs == pytest.approx(ours, rel=1e-5)
    # Were all logits zero, both sides would agree, too: on ln(8192) and ln(2).
    assert ours["generator_loss"] != pytest.approx(math.log(8192), rel=1e-3)
    assert ours["discriminator_loss"] != pytest.approx(math.log(2), rel=1e-3)
