"""Labels or scores for texts, from a tuned model folder or from its export."""

import dataclasses
import pathlib

import tensorflow as tf
import tensorflow_text  # noqa: F401 - the ops in an exported graph exist once this is imported

from electra_tf.config import read_json
from electra_tf.errors import InputError
from electra_tf.serving.saved_model import DESCRIPTION_FILE, TEXT_INPUTS, TEXT_SIGNATURE
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multi_label_scores import THRESHOLD
from electra_tf.tasks.task_models import load_text_model
from electra_tf.tasks.text_batches import text_columns
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor

_BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Classification:
    """One answer: the likeliest label, and the probability of each by name."""

    label: str
    probabilities: dict


@dataclasses.dataclass(frozen=True)
class LabelSet:
    """One answer of several labels: those that hold, and the probability of each by name."""

    labels: tuple
    probabilities: dict


@dataclasses.dataclass(frozen=True)
class Score:
    """One answer that is a number."""

    score: float


def _label(row, labels):
    return Classification(labels[row.argmax()], dict(zip(labels, map(float, row), strict=True)))


def _label_set(row, labels):
    chosen = tuple(label for label, share in zip(labels, row, strict=True) if share >= THRESHOLD)
    return LabelSet(chosen, dict(zip(labels, map(float, row), strict=True)))


# kind of model -> (which output of an export, one row of it as an answer)
_ANSWERS = {ElectraTextClassifier.KIND: ("probabilities", _label),
            ElectraMultiLabelClassifier.KIND: ("probabilities", _label_set),
            ElectraTextRegressor.KIND: ("scores", lambda row, labels: Score(float(row)))}


class KerasTextModel:
    """Answers texts with a model folder.

    Args:
        folder: model folder of a classifier, a multi-label classifier, a regressor, or an ensemble of them.
    """

    def __init__(self, folder):
        self._model = load_text_model(folder)
        self.takes_pairs = self._model.pairs

    def __call__(self, texts):
        """List of Classification, LabelSet or Score for texts, or for pairs (first, second)."""
        _, answer = _ANSWERS[self._model.answers_as]
        return [answer(row, self._model.labels)
                for row in self._model.predict(texts, batch_size=_BATCH_SIZE, verbose=0)]


class ExportedTextModel:
    """Answers texts with a SavedModel, as a server would.

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
        self._output, self._answer = _ANSWERS[description.get("answers_as", ElectraTextClassifier.KIND)]
        # Kept, because the signature does not keep the variables alive.
        self._loaded = tf.saved_model.load(str(folder / version))
        self._classify = self._loaded.signatures[TEXT_SIGNATURE]

    def __call__(self, texts):
        """As `KerasTextModel`."""
        columns = text_columns(texts, pairs=self.takes_pairs)
        answers = []
        for start in range(0, len(columns[0]), _BATCH_SIZE):
            batch = {name: tf.constant([_as_bytes(text) for text in column[start:start + _BATCH_SIZE]], tf.string)
                     for name, column in zip(TEXT_INPUTS[self.takes_pairs], columns, strict=True)}
            answers += [self._answer(row, self._labels) for row in self._classify(**batch)[self._output].numpy()]
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
