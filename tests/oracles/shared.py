"""Finds data that lies next to the checkout, not in it: expected values of other libraries, and text to train on."""

import os
import pathlib

import pytest

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"


def shared_path(relative):
    """Path of a file or folder under ../shared; the test is skipped without it, or fails where CI=true.

    >>> shared_path("oracles/original/tokenizer_cases.json").name   # 'tokenizer_cases.json'
    """
    path = SHARED / relative
    if path.exists():
        return path
    reason = f"needs ../shared/{relative}, next to the checkout"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
