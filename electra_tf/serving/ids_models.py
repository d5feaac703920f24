"""Answers with places in the user's own text from what takes token ids: the text is read in Python."""

import numpy as np
import tensorflow as tf

from electra_tf.config import from_dict
from electra_tf.errors import InputError
from electra_tf.serving.answer_difference import largest_answer_difference
from electra_tf.serving.engines import choose_engine, start_engine, tensorflow_engine
from electra_tf.serving.ids_network import served_outputs_of_ids
from electra_tf.serving.request_batches import batches_by_length, with_short_length
from electra_tf.serving.samples import sample_features
from electra_tf.serving.saved_model import SERVING_SIGNATURE, VOCABULARY_FOLDER
from electra_tf.tasks.long_texts import pooled, windows_of
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice, best_choices, encode_choices
from electra_tf.tasks.question_answering.options import QuestionAnswering
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.question_answering.question_reader import QuestionReader
from electra_tf.tasks.question_answering.span_head import SpanBeam
from electra_tf.tasks.tagging.text_tagger import TextTagger
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.task_models import load_task_model
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.vocabulary import Vocabulary

_BATCH_SIZE = 16


def _tagging(tokenizer, sequence_length, settings):
    tagger = TextTagger(tokenizer, sequence_length=sequence_length, **settings)

    def answer(texts, outputs_of):
        sources = tagger.split(texts)
        encoded = tagger.encode(sources)
        log_probabilities = tf.nn.log_softmax(outputs_of(encoded)["logits"]).numpy()
        return tagger.tagged(sources, tagger.tags(encoded, tagger.word_scores(encoded, log_probabilities)))
    return answer


def _question_answering(tokenizer, sequence_length, settings):
    reader = QuestionReader(tokenizer, sequence_length, from_dict(QuestionAnswering, settings["options"]),
                            settings["no_answer_threshold"])

    def answer(pairs, outputs_of):
        windows = reader.encode(pairs)
        return reader.answers(windows, SpanBeam(**outputs_of(windows)))
    return answer


def _multiple_choice(tokenizer, sequence_length, settings):
    def answer(texts, outputs_of):
        encoded = encode_choices(tokenizer, texts, num_choices=settings["num_choices"], long_text=settings["long_text"],
                                 sequence_length=sequence_length, stride=settings["stride"]).for_evaluation()
        windows, text_of = windows_of(encoded)
        logits = pooled(outputs_of(windows)["logits"], text_of, num_texts=len(encoded), pooling=settings["long_text"])
        return best_choices(texts, tf.nn.softmax(logits).numpy())
    return answer


# kind of model -> what makes, of a tokenizer, the sequence length and the model's settings, a function of the user's
# texts and of "encoded rows -> the network's outputs by name" that answers.
_READERS = {ElectraTokenClassifier.KIND: _tagging, ElectraQuestionAnswerer.KIND: _question_answering,
            ElectraMultipleChoice.KIND: _multiple_choice}
IDS_MODELS = tuple(_READERS)


class TunedIdsModel:
    """Tags texts, answers questions or chooses endings with a model folder: the network runs on an engine.

    Args:
        folder: model folder of a tagger, a question answerer or a multiple choice model.
        engine, precision: as for Predictor.

    Attributes:
        takes_pairs, takes_choices: whether it takes (question, context), or (text, endings).
        engine: Engine.

    Raises:
        InputError: an engine that is unknown, not installed, or too far from Keras.
    """

    def __init__(self, folder, *, engine, precision):
        choose_engine(engine, precision)  # before the work of loading
        model = load_task_model(folder)
        self.takes_pairs, self.takes_choices = _what_it_takes(model.KIND)
        self._longest = model.preprocessor.sequence_length
        self._answer = _READERS[model.KIND](
            Tokenizer(model.preprocessor.vocabulary), self._longest, model.head_settings())
        samples = sample_features(model)
        self._network, self.engine = start_engine(
            served_outputs_of_ids(model), model.weights, engine=engine, precision=precision,
            difference=largest_answer_difference, rank=model.feature_rank,
            samples=[samples, {name: values[:1] for name, values in samples.items()}])

    def __call__(self, texts):
        """The answers that the Keras model gives: list of TaggedText, QuestionAnswer or Choice."""
        return self._answer(texts, lambda encoded: _outputs(self._run, encoded))

    def _run(self, features):
        return self._network(with_short_length(
            features, lengths=self.engine.single_row_lengths, longest=self._longest))


class ExportedIdsModel:
    """Tags texts, answers questions or chooses endings with a SavedModel that takes token ids.

    Args:
        export: Export of a tagger, a question answerer or a multiple choice model.

    Attributes:
        takes_pairs, takes_choices: whether it takes (question, context), or (text, endings).
        engine: Engine: TensorFlow.

    Raises:
        InputError: the vocabulary that belongs to the export is missing, or is another.
    """

    def __init__(self, export):
        description = export.description
        kind, vocabulary = description["answers_as"], Vocabulary.load(export.folder / VOCABULARY_FOLDER)
        if vocabulary.hash != description["vocabulary_hash"]:
            raise InputError(f"{export.folder / VOCABULARY_FOLDER} is not the vocabulary of this export: its hash is "
                             f"{vocabulary.hash[:12]}, the description names {description['vocabulary_hash'][:12]}.")
        self.takes_pairs, self.takes_choices = _what_it_takes(kind)
        self.engine = tensorflow_engine(description["largest_difference_from_keras"])
        self._answer = _READERS[kind](Tokenizer(vocabulary), description["sequence_length"], description["settings"])
        # Kept, because the signature does not keep the variables alive.
        self._loaded = tf.saved_model.load(str(export.version_folder))
        self._network = self._loaded.signatures[SERVING_SIGNATURE]

    def __call__(self, texts):
        """As `TunedIdsModel`."""
        return self._answer(texts, lambda encoded: _outputs(self._run, encoded))

    def _run(self, features):
        outputs = self._network(**{name: tf.constant(values) for name, values in features.items()})
        return {name: values.numpy() for name, values in outputs.items()}


def _what_it_takes(kind):
    """Whether a kind of model takes pairs, and whether choices."""
    return kind == ElectraQuestionAnswerer.KIND, kind == ElectraMultipleChoice.KIND


def _outputs(run, encoded):
    """Of a network over any number of rows, from short ones to long ones, so that few are padded.

    Args:
        run: function of a dict of features -> dict of arrays by name.
        encoded: EncodedTexts.

    Returns:
        Name -> array with a row for each of the encoded rows.
    """
    batches = batches_by_length(encoded.for_evaluation().lengths, most_rows=_BATCH_SIZE)
    parts = [run(encoded.batch(rows, batch_size=len(rows))) for rows in batches]
    back = np.argsort(np.concatenate(batches))
    return {name: _joined([part[name] for part in parts])[back] for name in parts[0]}


def _joined(parts):
    """One array of several batches, whose rows may differ in length."""
    if parts[0].ndim > 1:
        longest = max(part.shape[1] for part in parts)
        parts = [np.pad(part, [(0, 0), (0, longest - part.shape[1])] + [(0, 0)] * (part.ndim - 2)) for part in parts]
    return np.concatenate(parts)
