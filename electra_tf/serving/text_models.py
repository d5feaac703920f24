"""Labels or scores for texts, from a tuned model folder or from its export."""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - the ops in an exported graph exist once this is imported

from electra_tf.serving.answer_difference import largest_answer_difference
from electra_tf.serving.engines import choose_engine, start_engine, tensorflow_engine
from electra_tf.serving.ids_network import served_numbers
from electra_tf.serving.request_batches import batches_by_length, with_short_length
from electra_tf.serving.samples import sample_texts
from electra_tf.serving.saved_model import SERVING_SIGNATURE, TEXT_INPUTS
from electra_tf.tasks.long_texts import pooled
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multi_label_scores import THRESHOLD
from electra_tf.tasks.options import FIRST, TRUNCATE
from electra_tf.tasks.task_models import load_text_model
from electra_tf.tasks.text_batches import TEXTS_AT_ONCE, encode_in_bulk, encoded_rows, text_columns
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.windows import text_windows

_BATCH_SIZE = 64
_LOGITS = "logits"


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


class TunedTextModel:
    """Answers texts with a model folder: a tokenizer in plain Python, then the network on an engine.

    Args:
        folder: model folder of a classifier, a multi-label classifier, a regressor, or an ensemble of them.
        engine, precision: as for Predictor.

    Attributes:
        takes_pairs: whether it takes pairs of texts.
        engine: Engine.

    Raises:
        InputError: an engine that is unknown, not installed, or too far from Keras.
    """

    def __init__(self, folder, *, engine, precision):
        choose_engine(engine, precision)  # before the work of loading
        self._model = load_text_model(folder)
        self._tokenizer = Tokenizer(self._model.preprocessor.vocabulary)
        self._output, self._answer = _ANSWERS[self._model.answers_as]
        self.takes_pairs = self._model.pairs
        # The members of an ensemble one by one: their windows are pooled before they are averaged.
        members = getattr(self._model, "members", [self._model])

        def outputs(*features):
            return {_LOGITS: tf.stack([member(*features, training=False) for member in members], axis=1)}
        samples, _ = self._rows(text_columns(sample_texts(self._model), pairs=self.takes_pairs))
        self._network, self.engine = start_engine(
            outputs, self._model.weights, engine=engine, precision=precision, difference=self._difference,
            samples=[samples.batch(rows, batch_size=len(rows)) for rows in
                     (*batches_by_length(samples.lengths, most_rows=_BATCH_SIZE), np.arange(1))])

    def __call__(self, texts):
        """List of Classification, LabelSet or Score for texts, or for pairs (first, second)."""
        columns, answers = text_columns(texts, pairs=self.takes_pairs), []
        for start in range(0, len(columns[0]), TEXTS_AT_ONCE):
            rows, text_of = self._rows(tuple(column[start:start + TEXTS_AT_ONCE] for column in columns))
            logits = self._outputs(rows)
            if text_of is not None:
                logits = pooled(logits, text_of, num_texts=text_of[-1] + 1, pooling=self._model.long_text)
            answers += [self._answer(row, self._model.labels)
                        for row in self._numbers(logits)[self._output].numpy()]
        return answers

    def _rows(self, columns):
        """(EncodedTexts, the text that each row belongs to; None where each text has the one row)."""
        preprocessor = self._model.preprocessor
        if self._model.long_text in (TRUNCATE, FIRST):
            return encode_in_bulk(self._tokenizer, columns, sequence_length=preprocessor.sequence_length), None
        features, text_of = text_windows(preprocessor, columns if self.takes_pairs else columns[0],
                                         stride=self._model.stride)
        return encoded_rows(features), text_of.numpy()

    def _outputs(self, encoded):
        """float32 [rows, members, outputs], from short rows to long ones, so that few are padded."""
        batches = batches_by_length(encoded.lengths, most_rows=_BATCH_SIZE)
        outputs = [self._network(with_short_length(
            encoded.batch(rows, batch_size=len(rows)), lengths=self.engine.single_row_lengths,
            longest=self._model.preprocessor.sequence_length))[_LOGITS] for rows in batches]
        return np.concatenate(outputs)[np.argsort(np.concatenate(batches))]

    def _numbers(self, outputs):
        """What an export returns, from outputs float32 [texts, members, outputs]."""
        return served_numbers(self._model, tf.reduce_mean(outputs, axis=1))

    def _difference(self, outputs, expected):
        return largest_answer_difference(self._numbers(outputs[_LOGITS]), self._numbers(expected[_LOGITS]))


class ExportedTextModel:
    """Answers texts with a SavedModel, as a server would.

    Args:
        export: Export of a model of whole texts.

    Attributes:
        takes_pairs: whether it takes pairs of texts.
        engine: Engine: TensorFlow.
    """

    def __init__(self, export):
        description = export.description
        self._labels, self.takes_pairs = tuple(description["labels"]), description["pairs"]
        self.engine = tensorflow_engine(description["largest_difference_from_keras"])
        self._output, self._answer = _ANSWERS[description.get("answers_as", ElectraTextClassifier.KIND)]
        # Kept, because the signature does not keep the variables alive.
        self._loaded = tf.saved_model.load(str(export.version_folder))
        self._classify = self._loaded.signatures[SERVING_SIGNATURE]

    def __call__(self, texts):
        """As `TunedTextModel`."""
        columns = text_columns(texts, pairs=self.takes_pairs)
        answers = []
        for start in range(0, len(columns[0]), _BATCH_SIZE):
            batch = {name: tf.constant([_as_bytes(text) for text in column[start:start + _BATCH_SIZE]], tf.string)
                     for name, column in zip(TEXT_INPUTS[self.takes_pairs], columns, strict=True)}
            answers += [self._answer(row, self._labels) for row in self._classify(**batch)[self._output].numpy()]
        return answers


def _as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", errors="ignore")
