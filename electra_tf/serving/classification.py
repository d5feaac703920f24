"""Labels for texts, from a tuned model folder or from its export."""

import dataclasses
import pathlib

import tensorflow as tf
import tensorflow_text  # noqa: F401 - the ops in an exported graph exist once this is imported

from electra_tf.config import read_json
from electra_tf.errors import InputError
from electra_tf.serving.saved_model import DESCRIPTION_FILE, TEXT_INPUTS, TEXT_SIGNATURE
from electra_tf.tasks.text_batches import text_columns
from electra_tf.tasks.text_classification import ElectraTextClassifier

_BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Classification:
    """One answer: the likeliest label, and the probability of each by name."""

    label: str
    probabilities: dict


def _answers(labels, probabilities):
    return [Classification(labels[row.argmax()], dict(zip(labels, map(float, row), strict=True)))
            for row in probabilities]


class KerasClassification:
    """Classifies with a model folder.

    Args:
        folder: model folder of kind "text_classifier".
    """

    def __init__(self, folder):
        self._classifier = ElectraTextClassifier.from_preset(folder)
        self.takes_pairs = self._classifier.pairs

    def __call__(self, texts):
        """List of Classification for texts, or for pairs (first, second)."""
        probabilities = self._classifier.predict(texts, batch_size=_BATCH_SIZE, verbose=0)
        return _answers(self._classifier.labels, probabilities)


class ExportedClassification:
    """Classifies with a SavedModel, as a server would.

    Args:
        folder: what `export_saved_model` wrote, or the version folder in it.

    Raises:
        InputError: the description that belongs to the export is missing.
    """

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        if (folder / "saved_model.pb").is_file():
            folder, version = folder.parent, folder.name
        else:
            version = max((path.name for path in folder.iterdir() if path.name.isdecimal()), key=int, default="1")
        description = read_json(folder / DESCRIPTION_FILE)
        self._labels, self.takes_pairs = tuple(description["labels"]), description["pairs"]
        # Kept, because the signature does not keep the variables alive.
        self._loaded = tf.saved_model.load(str(folder / version))
        self._classify = self._loaded.signatures[TEXT_SIGNATURE]

    def __call__(self, texts):
        """As `KerasClassification`."""
        columns = text_columns(texts, pairs=self.takes_pairs)
        answers = []
        for start in range(0, len(columns[0]), _BATCH_SIZE):
            batch = {name: tf.constant([_as_bytes(text) for text in column[start:start + _BATCH_SIZE]], tf.string)
                     for name, column in zip(TEXT_INPUTS[self.takes_pairs], columns, strict=True)}
            answers += _answers(self._labels, self._classify(**batch)["probabilities"].numpy())
        return answers


def is_export(folder):
    """Whether a folder is what `export_saved_model` wrote, or a version folder in it."""
    folder = pathlib.Path(folder)
    if (folder / "saved_model.pb").is_file() and not (folder.parent / DESCRIPTION_FILE).is_file():
        raise InputError(f"{folder} is a SavedModel without its {DESCRIPTION_FILE}; give the folder that "
                         f"export/saved_model.py wrote.")
    return (folder / "saved_model.pb").is_file() or (folder / DESCRIPTION_FILE).is_file()


def _as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", errors="ignore")
