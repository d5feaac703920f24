"""The quickstart refuses what it cannot read before it begins."""

import pytest

from electra_tf.errors import InputError
from experiments.quickstart import Flags


def test_a_time_that_is_none_is_refused_by_its_flag():
    assert Flags(pretraining_time="90s").pretraining_time == "90s"
    with pytest.raises(InputError, match="pretraining_time='abc' must be a time above 0 such as 90s, 30m or 2h"):
        Flags(pretraining_time="abc")
