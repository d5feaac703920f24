"""Answers to questions as pieces of a text of any length: encoder, the head for answers, windows, best spans."""

import keras
import numpy as np
import tensorflow as tf

from electra_tf.config import FineTuningConfig, from_dict, replace, to_dict
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder, encoder_weights, unpack_inputs
from electra_tf.model.model_folder import assign_weights, load_model_folder, named_weights, save_model_folder
from electra_tf.tasks.keras_metrics import SpanAccuracy
from electra_tf.tasks.question_answering.options import QuestionAnswering
from electra_tf.tasks.question_answering.question_files import Answer, nearest_place
from electra_tf.tasks.question_answering.question_reader import QuestionReader
from electra_tf.tasks.question_answering.span_head import (
    QuestionAnsweringHead,
    SpanBeam,
    answer_places,
    question_answering_losses,
)
from electra_tf.tasks.question_answering.windows import pieces_of, window_labels
from electra_tf.tasks.text_batches import evaluation_dataset, evaluation_order
from electra_tf.tasks.text_task import TextTask
from electra_tf.text.preprocessor import TextPreprocessor
from electra_tf.text.tokenizer import Tokenizer

# The original's for questions; windows cover what is longer.
_SEQUENCE_LENGTH = 512
# In a model folder the two independent ends are one layer, as in Hugging Face's folders.
_SPANS = "spans/"


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraQuestionAnswerer(TextTask):
    """Answers questions by a piece of their context, which may have any length, or says that it holds no answer.

    Called on a dictionary of token_ids, segment_ids (1 in the context) and padding_mask it returns a SpanBeam.

    Args:
        encoder: ElectraEncoder.
        options: QuestionAnswering.
        preprocessor: TextPreprocessor, or None for a model that only sees token ids.
        no_answer_threshold: probability above which the answer is "there is none"; 1 always answers; None, as long as
            no set has told a better one, is 0.5.

    >>> answerer = ElectraQuestionAnswerer.from_preset("tiny_en")
    >>> answerer.fit(["Who came?"], ["Ann came late."], [Answer("Ann", 0)])
    >>> answerer.predict(["Who came?"], ["Ann came late."])[0].text   # 'Ann'
    """

    KIND = "question_answerer"
    pairs = True

    def __init__(self, encoder, *, options=None, preprocessor=None, no_answer_threshold=None, name=KIND, **kwargs):
        super().__init__(name=name, **kwargs)
        self.encoder, self.preprocessor = encoder, preprocessor
        self.options = options or QuestionAnswering()
        if no_answer_threshold is not None and not 0 <= no_answer_threshold <= 1:
            raise InputError(f"no_answer_threshold={no_answer_threshold} must lie in [0, 1]; 1 always answers.")
        self.no_answer_threshold = no_answer_threshold
        if preprocessor is not None and preprocessor.sequence_length > encoder.config.max_positions:
            raise InputError(f"sequence_length={preprocessor.sequence_length} exceeds the model's "
                             f"max_positions={encoder.config.max_positions}.")
        self.tokenizer = None if preprocessor is None else Tokenizer(preprocessor.vocabulary)
        joint, answerability = self.options.head
        self.head = QuestionAnsweringHead(
            encoder.config.hidden_size, joint=joint, answerable=None if answerability == "none" else answerability,
            beam_size=self.options.beam_size, name="head", dtype=self.dtype_policy)
        self.head.build()
        self.built = True

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """SpanBeam of the rows; arguments as ElectraEncoder."""
        hidden, places = self.hidden(inputs, segment_ids, padding_mask, training=training, random=random)
        return self.head.beam(hidden, places)

    def logits_for(self, features, labels, *, training, random=None):
        """SpanLogits; the ends are those for the right starts, as the joint head learns them."""
        hidden, places = self.hidden(features, training=training, random=random)
        return self.head(hidden, places, start_positions=labels["start"])

    def hidden(self, inputs, segment_ids=None, padding_mask=None, *, training=False, random=None):
        """What the head reads: hidden states float [batch, length, hidden_size], and `answer_places`."""
        _, segment_ids, padding_mask = features = unpack_inputs(inputs, segment_ids, padding_mask)
        return self.encoder(*features, training=training, random=random), answer_places(segment_ids, padding_mask)

    def fit(self, x, contexts=None, y=None, *, validation_data=None, **kwargs):
        """Trains on questions, their contexts and answers; other arguments as `TextTask.fit`.

        Args:
            x, contexts: questions and contexts, lists of str, equally many; or x alone: (questions, contexts), a list
                of (question, context), or a tf.data.Dataset of batches.
            y: answers, for each question an Answer, a str (its first place in the context is meant), SQuAD's {"text",
                "answer_start"}, None where the context holds no answer, or a list of these, of which the first counts.
            validation_data: (questions, contexts, answers), or a Dataset.

        Raises:
            InputError: an answer that does not stand in its context.

        >>> answerer.fit(["Who came?", "Who left?"], ["Ann came late."] * 2, ["Ann", None])
        """
        if isinstance(validation_data, tuple | list) and len(validation_data) == 3:
            *texts, answers = validation_data
            validation_data = tuple(texts), answers
        return super().fit(_together(x, contexts), y, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, contexts=None, y=None, *, batch_size=16, **kwargs):
        """Loss and metrics on questions, contexts and answers, as for `fit`; other arguments as in Keras.

        >>> answerer.evaluate(["Who came?"], ["Ann came late."], ["Ann"], return_dict=True)
        {"loss": 0.2, "span_accuracy": 1.0}
        """
        return super().evaluate(_together(x, contexts), y, batch_size=batch_size or 16, **kwargs)

    def predict(self, x, contexts=None, *, batch_size=16, **kwargs):
        """The answers.

        Args:
            x, contexts: questions and contexts, as for `fit`. A Dataset gives the arrays of a SpanBeam.
            batch_size: windows at once.
            **kwargs: as in Keras.

        Returns:
            List of QuestionAnswer: text, start, end, probability, n best, and the probability that there is none.

        >>> answerer.predict(["Who came?"], ["Ann came late."])[0].start   # 0
        """
        return super().predict(_together(x, contexts), batch_size=batch_size, **kwargs)

    def predict_encoded(self, encoded, *, batch_size=16, **kwargs):
        """`predict` for EncodedWindows."""
        if not len(encoded):
            return []
        beams = keras.Model.predict(self, evaluation_dataset(encoded, batch_size=batch_size), **kwargs)
        place_of = np.argsort(evaluation_order(encoded))
        beams = SpanBeam(**{name: values[place_of] for name, values in beams.items()})
        return self._reader.answers(encoded, beams)

    def encode(self, x):
        """EncodedWindows of (questions, contexts)."""
        if self.tokenizer is None:
            raise InputError("this model has no vocabulary; give it token ids in a tf.data.Dataset.")
        return self._reader.encode(x)

    @property
    def _reader(self):
        # Made anew each time, because the threshold is set after training.
        return QuestionReader(self.tokenizer, self.preprocessor and self.preprocessor.sequence_length, self.options,
                              self.no_answer_threshold)

    def labels_of(self, windows, answers, *, is_impossible):
        """What the rows teach.

        Args:
            windows: EncodedWindows.
            answers: for each question an Answer that stands in its context, or None.
            is_impossible: bool [questions]; a question with neither an answer nor this teaches nothing.

        Returns:
            Dict, see `window_labels`.
        """
        spans = [answer and pieces_of(context, answer.start, answer.start + len(answer.text))
                 for answer, context in zip(answers, windows.contexts, strict=True)]
        return window_labels(windows, spans, is_impossible=is_impossible,
                             answerless_windows=self.options.answerless_windows)

    def labels_for(self, encoded, y):
        y = [] if y is None else list(y)
        if len(y) != len(encoded.contexts):
            raise InputError(f"there are {len(encoded.contexts)} questions and {len(y)} answers; give equally many.")
        answers = [_answer_of(value, context.text, f"answers[{place}]")
                   for place, (value, context) in enumerate(zip(y, encoded.contexts, strict=True))]
        return self.labels_of(encoded, answers, is_impossible=[answer is None for answer in answers])

    def losses(self, labels, logits):
        """The original's loss of each row, float32 [batch]; see `question_answering_losses`."""
        return question_answering_losses(logits, start_positions=labels["start"], end_positions=labels["end"],
                                         is_impossible=labels["impossible"])

    def answers(self, logits):
        """The arrays of a SpanBeam by name."""
        return logits._asdict()

    def served_outputs(self, beam):
        """What an export returns for a SpanBeam: name -> tensor."""
        return beam._asdict()

    def default_metrics(self):
        return [SpanAccuracy()]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Metrics see labels [batch, 2] and scores [batch, 2, length] of starts and ends; see SpanAccuracy."""
        is_asked = tf.cast(y["start"] >= 0, tf.float32)
        weights = is_asked if sample_weight is None else is_asked * sample_weight
        return super().compute_metrics(x, tf.stack([y["start"], y["end"]], axis=1),
                                       tf.stack([y_pred.start, y_pred.end], axis=1), sample_weight=weights)

    def weights_by_name(self):
        """Name -> variable: the encoder's under "encoder/", the head's under "head/"."""
        return {**encoder_weights(self.encoder), **named_weights(self.head, prefix="head/")}

    def head_settings(self):
        return {"options": to_dict(self.options), "no_answer_threshold": self.no_answer_threshold}

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "options": from_dict(QuestionAnswering, config["options"])})

    def save_to_preset(self, folder):
        """Writes a model folder: weights, architecture, options, vocabulary. Never over other work.

        >>> answerer.save_to_preset("answers")
        """
        if self.preprocessor is None:
            raise InputError("this model has no vocabulary; a model folder needs one.")
        save_model_folder(
            folder, kind=self.KIND, config=self.encoder.config, vocabulary=self.preprocessor.vocabulary,
            weights=self.stored_weights(), extra=self.stored_settings())

    def stored_weights(self):
        return _with_one_layer(self.weights_by_name(), is_joint=self.options.joint)

    @classmethod
    def from_preset(cls, folder, *, sequence_length=None, dropout=None, no_answer_threshold=None, load_weights=True,
                    dtype=None, **options):
        """A model from a folder of any kind, or from one that ships with the package.

        A folder with a model of this kind, ours or Hugging Face's, is loaded whole; with options that ask for another
        head, and from a folder of another kind, the encoder is loaded and the head is new.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            sequence_length: pieces of a row, question and window together; None takes the folder's, else 512 or what
                the model can.
            dropout: rate of the encoder; None takes the folder's, else 0.1.
            no_answer_threshold: None takes the folder's.
            load_weights: False leaves all weights new: architecture and vocabulary alone are taken.
            dtype: Keras dtype policy, such as "mixed_bfloat16".
            **options: fields of QuestionAnswering; what is not given comes from the folder.

        Raises:
            InputError: no such folder or option, no vocabulary in it, a generator, or weights that do not fit.

        >>> ElectraQuestionAnswerer.from_preset("tiny_en", sequence_length=384, stride=192)
        """
        return cls.from_saved(load_model_folder(folder), sequence_length=sequence_length, dropout=dropout,
                              no_answer_threshold=no_answer_threshold, load_weights=load_weights, dtype=dtype,
                              **options)

    @classmethod
    def from_saved(cls, saved, *, sequence_length=None, dropout=None, no_answer_threshold=None, load_weights=True,
                   dtype=None, **options):
        """As `from_preset`, for a ModelFolder that was read."""
        if saved.vocabulary is None:
            raise InputError(f"{saved.path} has no vocabulary; question answering needs one.")
        if saved.kind == "generator":
            raise InputError(f"{saved.path} holds a model of kind 'generator', which only proposes words for the "
                             f"discriminator and is left behind after pretraining; give the discriminator of that run.")
        stored = _stored_settings(saved, cls.KIND)
        stored_options = from_dict(QuestionAnswering, stored["options"])
        options = replace(stored_options, **options)
        dropout = stored["dropout"] if dropout is None else dropout
        config = replace(saved.config, hidden_dropout=dropout, attention_dropout=dropout)
        answerer = cls(
            ElectraEncoder(config, dtype=dtype), options=options, dtype=dtype,
            preprocessor=TextPreprocessor(saved.vocabulary, sequence_length or stored["sequence_length"]),
            no_answer_threshold=stored["no_answer_threshold"] if no_answer_threshold is None else no_answer_threshold)
        if load_weights:
            has_new_head = saved.kind != cls.KIND or options.head != stored_options.head
            # What is not the encoder's belongs to pretraining or to another head.
            assign_weights(answerer.weights_by_name(),
                           saved.encoder_weights() if has_new_head else _with_two_layers(saved.weights),
                           new=("head/",) if has_new_head else ())
        return answerer


def _together(questions, contexts):
    return questions if contexts is None else (questions, contexts)


def _answer_of(value, context, where):
    """An answer as users give it -> Answer, or None."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if value is None:
        return None
    if isinstance(value, str):
        value = Answer(value, nearest_place(value, context, 0) or 0)
    elif isinstance(value, dict) and {"text", "answer_start"} <= value.keys():
        value = Answer(value["text"], value["answer_start"])
    if not isinstance(value, Answer):
        raise InputError(f"{where} is {value!r}; expected a string, an Answer, SQuAD's text and answer_start, or None.")
    if not value.text.strip() or value.start < 0 or not context.startswith(value.text, value.start):
        raise InputError(f"{where}: {value.text[:60]!r} does not stand in its context at character {value.start}.")
    return value


def _stored_settings(saved, kind):
    """What a folder of this kind says about its model; the usual values for any other folder."""
    usual = {"sequence_length": min(_SEQUENCE_LENGTH, saved.config.max_positions), "no_answer_threshold": None}
    if saved.kind != kind:
        return {**usual, "dropout": FineTuningConfig().dropout, "options": {}}
    # The head of Hugging Face's folders, which say nothing of it, is the simple one.
    return {**usual, "dropout": saved.config.hidden_dropout, "options": {"joint": False, "answerability": "none"},
            **saved.extra}


def _with_one_layer(weights, *, is_joint):
    """The weights as a folder holds them."""
    if is_joint:
        return weights
    weights = {name: weight.numpy() for name, weight in weights.items()}
    for part in ("kernel", "bias"):
        ends = [weights.pop(f"head/{end}/{part}") for end in ("start", "end")]
        weights[_SPANS + part] = np.concatenate(ends, axis=-1)
    return weights


def _with_two_layers(weights):
    """What `_with_one_layer` made, undone."""
    weights = dict(weights)
    for part in ("kernel", "bias"):
        if _SPANS + part in weights:
            both = weights.pop(_SPANS + part)
            weights |= {f"head/start/{part}": both[..., :1], f"head/end/{part}": both[..., 1:]}
    return weights
