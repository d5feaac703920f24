"""Several trials of one task as one model: the mean of their logits."""

import dataclasses
import statistics

import keras
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.model.encoder import unpack_inputs
from electra_tf.model.model_folder import load_model_folder, save_model_folder
from electra_tf.tasks.long_texts import real_windows
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.question_answering.span_head import SpanLogits, mean_beam
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.tasks.text_task import TextTask

MEMBERS = {model.KIND: model for model in (
    ElectraTextClassifier, ElectraTextRegressor, ElectraMultiLabelClassifier, ElectraMultipleChoice,
    ElectraTokenClassifier, ElectraQuestionAnswerer)}
ENSEMBLE = "ensemble"
# Where members may differ: dropout is for training alone, and an ensemble chooses a threshold of its own.
_MAY_DIFFER = ("dropout", "no_answer_threshold")


def ensemble_of(members):
    """The ensemble of models that were tuned for one task.

    Args:
        members: list of models of one class, with the same settings, labels and vocabulary.

    Returns:
        ElectraEnsemble, or for models that answer otherwise than with one row of logits a TaggerEnsemble,
        AnswererEnsemble or ChoiceEnsemble, which is used as its members are.

    Raises:
        InputError: members that do not belong together.

    >>> ensemble_of([ElectraTokenClassifier.from_preset(folder) for folder in folders]).predict(["in Paris"])
    """
    return next(ensemble for kind, ensemble in _ENSEMBLES.items() if isinstance(members[0], kind))(members)


def ensemble_from_preset(folder):
    """The ensemble in a model folder.

    Args:
        folder: path of a model folder that an ensemble's `save_to_preset` has written.

    Raises:
        InputError: there is no such folder, or it holds another kind of model.

    >>> ensemble_from_preset("sentiment").predict(["a fine film"])   # [[0.1, 0.9]]
    """
    saved = load_model_folder(folder)
    if saved.kind != ENSEMBLE:
        raise InputError(f"{folder} holds a model of kind {saved.kind!r}; expected an ensemble.")
    settings = dict(saved.extra)
    kind, count, members = settings.pop("of"), settings.pop("members"), []
    for number in range(count):
        prefix = f"member_{number}/"
        weights = {name.removeprefix(prefix): array for name, array in saved.starting_with(prefix).items()}
        members.append(MEMBERS[kind].from_saved(
            dataclasses.replace(saved, kind=kind, weights=weights, extra=settings)))
    return ensemble_of(members)


class _Ensemble:
    """What all ensembles share: their members, and how they are written."""

    # Taken over from the first member, because a model of this kind has them.
    TAKEN_OVER = ("encoder", "preprocessor", "pairs")

    def __init__(self, members, *, name=ENSEMBLE, **kwargs):
        keras.Model.__init__(self, name=name, **kwargs)
        members = list(members)
        first = members[0]
        if type(first) not in MEMBERS.values():
            raise InputError(f"models of kind {first.KIND!r} make no ensemble; expected {', '.join(MEMBERS)}.")
        for member in members[1:]:
            if _what_must_agree(member) != _what_must_agree(first):
                raise InputError("the members of an ensemble must be of one task, with the same labels and vocabulary, "
                                 "and read long texts alike.")
        self.members = members
        for attribute in self.TAKEN_OVER:
            setattr(self, attribute, getattr(first, attribute))
        self.built = True

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """The mean of the members' logits, float32; arguments and shape as of the members."""
        return _mean([member(inputs, segment_ids, padding_mask, training=False) for member in self.members])

    def fit(self, *arguments, **kwargs):
        raise InputError("an ensemble is not trained; train its members.")

    def head_settings(self):
        return self.members[0].head_settings()

    def get_config(self):
        return {"members": list(map(keras.saving.serialize_keras_object, self.members)), "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls([keras.saving.deserialize_keras_object(member) for member in config["members"]], name=config["name"])

    def save_to_preset(self, folder):
        """Writes one model folder with the weights of all members.

        >>> ensemble.save_to_preset("sentiment")
        """
        first = self.members[0]
        save_model_folder(
            folder, kind=ENSEMBLE, config=self.encoder.config, vocabulary=self.preprocessor.vocabulary,
            weights={f"member_{number}/{name}": weight for number, member in enumerate(self.members)
                     for name, weight in member.stored_weights().items()},
            extra={"of": first.KIND, "members": len(self.members), **first.stored_settings()})

    @classmethod
    def from_preset(cls, folder):
        """The ensemble in a model folder; see `ensemble_from_preset`.

        >>> ensemble = ElectraEnsemble.from_preset("sentiment")
        """
        return ensemble_from_preset(folder)


def _what_must_agree(member):
    settings = {name: value for name, value in member.head_settings().items() if name not in _MAY_DIFFER}
    return type(member), settings, member.preprocessor.vocabulary.hash


def _mean(logits):
    return tf.add_n(logits) / len(logits)


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraEnsemble(_Ensemble, TextTask):
    """Answers with the mean of the logits of its members, which were tuned for one task; it is not trained itself.

    Args:
        members: classifiers, multi-label classifiers or regressors, with the same labels and vocabulary.

    >>> ensemble = ElectraEnsemble([ElectraTextClassifier.from_preset(folder) for folder in folders])
    >>> ensemble.predict(["a fine film"])   # probabilities, [[0.1, 0.9]]
    """

    KIND = ENSEMBLE
    TAKEN_OVER = (*_Ensemble.TAKEN_OVER, "labels", "num_outputs", "long_text", "stride")

    @property
    def score_range(self):
        """(lowest, highest) score, of regressors alone."""
        return self.members[0].score_range

    def predict(self, x, *, batch_size=64, **kwargs):
        """What a member's `predict` returns, of the mean logits; `x` as for a member."""
        answers = super().predict(x, batch_size=batch_size, **kwargs)
        return answers[:, 0] if self.answers_as == ElectraTextRegressor.KIND else answers

    def encode(self, x):
        return self.members[0].encode(x)

    def text_outputs(self, texts):
        """The mean of the members' logits for strings, all in the graph; see FirstTokenTask."""
        return _mean([member.text_outputs(texts) for member in self.members])

    def label_numbers(self, y):
        return self.members[0].label_numbers(y)

    def losses(self, labels, logits):
        return self.members[0].losses(labels, logits)

    def answers(self, logits):
        return self.members[0].answers(logits)

    @property
    def answers_as(self):
        return self.members[0].KIND

    def served_outputs(self, logits):
        return self.members[0].served_outputs(logits)

    def default_metrics(self):
        return self.members[0].default_metrics()


@keras.saving.register_keras_serializable(package="electra_tf")
class ChoiceEnsemble(_Ensemble, ElectraMultipleChoice):
    """Chooses endings by the mean of its members' logits; of a long text, the means of its windows are pooled.

    Args:
        members: list of ElectraMultipleChoice.

    >>> ChoiceEnsemble(members).predict([("the bird woke", ("it broke", "it sang"))])   # [[0.3, 0.7]]
    """

    TAKEN_OVER = (*_Ensemble.TAKEN_OVER, "num_outputs", "num_choices", "long_text", "stride", "tokenizer")

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """Logits float32 [batch, choices]; also of texts with all their windows."""
        features = unpack_inputs(inputs, segment_ids, padding_mask)
        if features[0].shape.rank > self.feature_rank:  # as in serving, where the ensemble's network sees one window
            return self.window_outputs(*real_windows(features), num_texts=tf.shape(features[0])[0])
        return super().call(*features)


@keras.saving.register_keras_serializable(package="electra_tf")
class TaggerEnsemble(_Ensemble, ElectraTokenClassifier):
    """Tags words by the mean of its members' logits.

    Args:
        members: list of ElectraTokenClassifier.

    >>> TaggerEnsemble(members).predict(["He left Paris."])[0].spans   # (TaggedSpan('Paris', 8, 13, 'LOC', 0.7),)
    """

    TAKEN_OVER = (*_Ensemble.TAKEN_OVER, "labels", "num_outputs", "scheme", "label_pieces", "stride", "segment_id",
                  "empty_word_tag", "_tagger")


@keras.saving.register_keras_serializable(package="electra_tf")
class AnswererEnsemble(_Ensemble, ElectraQuestionAnswerer):
    """Answers questions by the mean of its members' logits, and with one threshold: the mean of theirs, or its own.

    Args:
        members: list of ElectraQuestionAnswerer.

    >>> AnswererEnsemble(members).predict(["Who came?"], ["Ann came late."])[0].text   # 'Ann'
    """

    TAKEN_OVER = (*_Ensemble.TAKEN_OVER, "options", "tokenizer")

    def __init__(self, members, **kwargs):
        super().__init__(members, **kwargs)
        thresholds = [member.no_answer_threshold for member in self.members]
        self.no_answer_threshold = None if None in thresholds else statistics.mean(thresholds)

    @property
    def no_answer_threshold(self):
        return self.members[0].no_answer_threshold

    @no_answer_threshold.setter
    def no_answer_threshold(self, threshold):
        for member in self.members:  # a folder and a .keras file keep those of the members
            member.no_answer_threshold = threshold

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """The SpanBeam of the members' mean logits."""
        states = [member.hidden(inputs, segment_ids, padding_mask) for member in self.members]
        return mean_beam([member.head for member in self.members], [hidden for hidden, _ in states], states[0][1])

    def logits_for(self, features, labels, *, training, random=None):
        """SpanLogits, the mean of the members'."""
        of_members = [member.logits_for(features, labels, training=False) for member in self.members]
        return SpanLogits(*(None if values[0] is None else _mean(values)
                            for values in zip(*of_members, strict=True)))


_ENSEMBLES = {ElectraMultipleChoice: ChoiceEnsemble, ElectraTokenClassifier: TaggerEnsemble,
              ElectraQuestionAnswerer: AnswererEnsemble, TextTask: ElectraEnsemble}
