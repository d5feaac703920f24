"""One tiny classifier for single texts and one for pairs, made and exported once for all tests of serving."""

import keras
import pytest

from electra_tf.model.encoder import ElectraEncoder
from electra_tf.serving.saved_model import export_saved_model
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import save_networks, scatter_weights, tiny_config, tiny_vocabulary

LABELS = ("neg", "other", "pos")
SEQUENCE_LENGTH = 17


def save_classifier(folder, *, pairs, seed):
    keras.utils.set_random_seed(seed)
    # Matrices of more than 1024 numbers, because smaller ones are not worth the trouble to LiteRT's quantization.
    classifier = ElectraTextClassifier(
        ElectraEncoder(tiny_config(hidden_size=48, intermediate_size=56)), labels=LABELS, pairs=pairs,
        preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=SEQUENCE_LENGTH))
    scatter_weights(classifier, seed=seed)
    classifier.save_to_preset(folder)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders single and pairs: classifiers; discriminator and generator, as in a pretraining run."""
    folder = tmp_path_factory.mktemp("models")
    save_classifier(folder / "single", pairs=False, seed=20)
    save_classifier(folder / "pairs", pairs=True, seed=2)
    return save_networks(folder)


@pytest.fixture(scope="session")
def exports(models, tmp_path_factory):
    """Folders single and pairs: what export_saved_model made of the classifiers."""
    folder = tmp_path_factory.mktemp("exports")
    for kind in ("single", "pairs"):
        export_saved_model(models / kind, folder / kind)
    return folder


@pytest.fixture(scope="session")
def single(models):
    return ElectraTextClassifier.from_preset(models / "single")
