import numpy as np
import pytest

from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import SHIPPED_MODELS, load_model_folder


@pytest.mark.parametrize(["name", "pieces"], [("tiny_en", 8192), ("tiny_wiki_en", 16384)])
def test_a_shipped_english_model_loads_by_name_with_its_vocabulary(name, pieces):
    encoder = ElectraEncoder.from_preset(name)
    vocabulary = encoder.vocabulary
    assert vocabulary.size == encoder.config.vocabulary_size == pieces and "film" in vocabulary
    token_ids = np.array([[vocabulary.cls_id, vocabulary.id_of("film"), vocabulary.sep_id]])
    assert encoder(token_ids).shape == (1, 3, encoder.config.hidden_size)


def test_every_shipped_model_has_a_card_and_stays_small():
    folders = [folder for folder in SHIPPED_MODELS.iterdir() if folder.is_dir() and not folder.name.startswith("_")]
    assert folders
    for folder in folders:
        assert load_model_folder(folder.name).kind == "discriminator"
        assert "tokens seen" in (folder / "README.md").read_text(encoding="utf-8")
        assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 10e6
