"""What all tests of serving share: two tiny classifiers, made and exported once, and the engines."""

import keras
import pytest

from electra_tf.model.encoder import ElectraEncoder
from electra_tf.serving.engines import ENGINES
from electra_tf.serving.saved_model import export_saved_model
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.serving.optional_engines import MODULES
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


@pytest.fixture(params=ENGINES)
def engine(request):
    """The name of each engine; skips those that are not installed."""
    if request.param in MODULES and not MODULES[request.param].version():
        pytest.skip(f"{request.param} is not installed; `make engines` installs it")
    return request.param


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
