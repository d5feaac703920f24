"""Metrics of whole sets and augmented texts are the same on two devices as on one."""

import json

import numpy as np
import pytest

from electra_tf.tasks.classification_scores import classification_scores
from electra_tf.tasks.regression_scores import pearson, spearman
from tests.tasks.own_process import run_module
from tests.tasks.tiny import MAX_POSITIONS


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What scores_on_two_devices.py has found on one device and on two."""
    folder = tmp_path_factory.mktemp("two_devices")
    run_module("tests.tasks.scores_on_two_devices", folder)
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("one", "two", "refusals")}


def expected_scores(kind, answers, truth):
    if kind == "numbers":
        return {"pearson": pearson(truth, answers[:, 0]), "spearman": spearman(truth, answers[:, 0])}
    numbers = classification_scores(truth, np.argmax(answers, axis=1), num_labels=2).numbers()
    return {name: numbers[name] for name in ("macro_f1", "matthews")}


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_metrics_are_those_of_all_answers_whatever_the_number_of_devices(found, kind):
    one, two = (found[name][kind] for name in ("one", "two"))
    for scored in (one, two):
        truth = np.array(scored["truth"])
        expected = expected_scores(kind, np.array(scored["answers"]), truth)
        # The second time, nothing is left of the first.
        for evaluated in scored["evaluate"]:
            assert {name: evaluated[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(two["answers"], one["answers"], atol=1e-5)
    for first, second in zip(one["evaluate"], two["evaluate"], strict=True):
        assert second == pytest.approx(first, rel=1e-5)


def test_augmentation_draws_the_same_rows_whatever_the_number_of_devices(found):
    one, two = (found[name]["augmented"] for name in ("one", "two"))
    assert one["rows"] == two["rows"] and len(one["rows"]) == 2 * 23
    lengths = {len(row) for _, row in one["rows"]}
    assert max(lengths) <= MAX_POSITIONS and len(lengths) > 3
    # Both epochs show the same texts, each changed in its own way.
    texts = [[row for number, row in one["rows"] if number // 2**24 in steps] for steps in (range(4), range(4, 8))]
    assert len(texts[0]) == len(texts[1]) == 23 and sorted(texts[0]) != sorted(texts[1])
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    for name, values in one["weights"].items():
        # The gradient of a key's bias is zero but for rounding, which Adam makes large.
        atol = 1e-5 if name.endswith("key/bias") else 3e-6
        np.testing.assert_allclose(two["weights"][name], values, rtol=0, atol=atol, err_msg=name)


def test_a_batch_that_devices_cannot_share_evenly_is_refused(found):
    assert found["refusals"] == ["batch_size=7 cannot be cut into 2 equal parts, one for each device; take a multiple "
                                 "of 2."] * 2
