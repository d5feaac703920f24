"""What several tests of the tasks share: the networks of a pretraining run that has just begun."""

import pytest

from tests.tasks.tiny import save_networks


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Folder of a tiny discriminator with random weights."""
    return save_networks(tmp_path_factory.mktemp("run")) / "discriminator"
