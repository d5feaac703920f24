"""One device and two devices train the same; what cannot be had is refused in one sentence."""

import json
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.training.distribution import require_equal_parts, strategy_for
from tests.training.tiny_run import tiny_config, write_records

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    """(what the program told, its folder)."""
    folder = tmp_path_factory.mktemp("two_devices")
    records = write_records(folder, documents=380)
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.on_two_devices", str(records), str(folder)], cwd=ROOT,
        capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "told.json").read_text()), folder


def arrays(folder, name):
    stored = np.load(folder / f"{name}.npz")
    return {key: stored[key] for key in stored.files}


def test_two_devices_make_the_same_weights_as_one_also_from_a_checkpoint(two_devices):
    told, folder = two_devices
    assert told["replicas"] == [1, 2]
    one, two = arrays(folder, "one"), arrays(folder, "two")
    assert one.keys() == two.keys()
    for name in one:
        if name.startswith("weights/"):
            np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-6, err_msg=name)
    assert one["optimizer/iterations"] == two["optimizer/iterations"] == 10


def test_the_gradients_of_that_comparison_were_clipped(two_devices):
    told, _ = two_devices
    assert told["one"]["train"]["gradient_norm"] > 2 * tiny_config().optimizer.clip_norm


def test_two_devices_measure_the_same_as_one_also_where_the_last_batch_leaves_one_without_rows(two_devices):
    told, folder = two_devices
    rows = json.loads((folder / "records" / "manifest.json").read_text())["splits"]["validation"]["rows"]
    assert 0 < rows % told["batch_size"] <= told["batch_size"] // 2
    for part, values in told["one"].items():
        for name, value in values.items():
            np.testing.assert_allclose(told["two"][part][name], value, rtol=2e-5, atol=1e-6, err_msg=f"{part} {name}")


def test_plain_fit_on_two_devices_makes_the_weights_of_the_own_loop_on_one(two_devices):
    told, folder = two_devices
    one, fitted = arrays(folder, "one"), arrays(folder, "fit")
    assert fitted.keys() == {name for name in one if name.startswith("weights/discriminator/")}
    for name in fitted:
        np.testing.assert_allclose(fitted[name], one[name], rtol=0, atol=1e-6, err_msg=name)
    for name, value in told["fit"].items():
        np.testing.assert_allclose(value, told["one"]["train"][name], rtol=2e-5, atol=1e-6, err_msg=name)


def test_a_tpu_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="distribution='tpu': this machine has no TPU that TensorFlow can use; take"):
        strategy_for("tpu")


def test_a_batch_that_the_devices_cannot_share_is_refused():
    config = tiny_config(batch_size=8, accumulation_steps=2)
    require_equal_parts(config, types.SimpleNamespace(num_replicas_in_sync=4))
    with pytest.raises(InputError, match="batch_size=8 cannot be cut into 6 equal parts .3 devices x accumulation_st"):
        require_equal_parts(config, types.SimpleNamespace(num_replicas_in_sync=3))


def test_an_unknown_distribution_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="distribution 'mirror' does not exist; did you mean 'mirrored'"):
        strategy_for("mirror")


def test_the_cpu_cannot_be_cut_after_tensorflow_has_started():
    tf.constant(1)
    with pytest.raises(InputError, match="logical_devices=2: TensorFlow has started already"):
        strategy_for("mirrored", logical_devices=2)
    with pytest.raises(InputError, match="logical_devices=0 must be 1 or more"):
        strategy_for("mirrored", logical_devices=0)
