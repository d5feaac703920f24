"""What a new run's tables start from: positions as waves of the strength of counted words, or at random."""

import numpy as np
import pytest

from electra_tf.training.first_tables import wave_positions
from electra_tf.training.pretrain import pretrain
from tests.training.tiny_run import starts_alone, tiny_config, write_records


def test_one_step_is_the_same_rotation_everywhere_and_near_places_are_alike():
    table = wave_positions(64, 16, initializer_range=0.02)
    assert table.shape == (64, 16) and table.std() == pytest.approx(0.06)
    pairs = table[:, 0::2] + 1j * table[:, 1::2]
    steps = pairs[1:] / pairs[:-1]
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-4)
    alike = table @ table.T
    for place in range(2, 62):
        assert alike[place, place] > alike[place, place + 1] > alike[place, place + 2]
        assert alike[place, place] > alike[place, place - 1] > alike[place, place - 2]


@pytest.mark.parametrize("first_positions", ["random", "sinusoids"])
def test_a_run_starts_with_them_where_its_settings_say_so(tmp_path, monkeypatch, first_positions):
    started = starts_alone(monkeypatch)
    config = tiny_config(first_positions=first_positions)
    pretrain(config, data=write_records(tmp_path / "records"), output=tmp_path / "run")
    tables = [table for name, table in started[0].items() if name.endswith("position_embeddings")]
    assert tables
    for table in tables:
        waves = wave_positions(*table.shape, initializer_range=config.model.initializer_range)
        assert np.allclose(table, waves, atol=1e-6) == (first_positions == "sinusoids")
