"""What all tests share: quiet TensorFlow, the TensorFlow backend, equal random numbers in every order of the tests."""

import os
import random
import sys

import hypothesis

# Set before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import pytest

# The same examples in every run, however busy the machine is.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _equal_random_numbers():
    """Seeds Python, numpy and, only where a test module has loaded it, Keras."""
    random.seed(0)
    np.random.seed(0)
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.set_random_seed(0)


@pytest.fixture
def eagerly():
    """A few steps of a tiny model take less time than graphs for them."""
    tf = sys.modules["tensorflow"]  # the tests that ask for this have loaded it
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
