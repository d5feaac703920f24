"""Several trials of one task as one model: the mean of their logits."""

import dataclasses

import keras
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.model.model_folder import load_model_folder, save_model_folder
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.tasks.text_task import TextTask

MEMBERS = {model.KIND: model for model in (ElectraTextClassifier, ElectraTextRegressor, ElectraMultiLabelClassifier)}


def _what_must_agree(member):
    return (type(member), member.labels, member.pairs, member.preprocessor.vocabulary.hash, member.long_text,
            member.stride)


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraEnsemble(TextTask):
    """Answers with the mean of the logits of its members, which were tuned for one task; it is not trained itself.

    Args:
        members: models of one class on texts, with the same labels and vocabulary.

    >>> ensemble = ElectraEnsemble([ElectraTextClassifier.from_preset(folder) for folder in folders])
    >>> ensemble.predict(["a fine film"])   # probabilities, [[0.1, 0.9]]
    """

    KIND = "ensemble"

    def __init__(self, members, *, name=KIND, **kwargs):
        super().__init__(name=name, **kwargs)
        members = list(members)
        first = members[0]
        if type(first) not in MEMBERS.values():
            raise InputError(f"models of kind {first.KIND!r} make no ensemble; expected {', '.join(MEMBERS)}.")
        for member in members[1:]:
            if _what_must_agree(member) != _what_must_agree(first):
                raise InputError("the members of an ensemble must be of one task, with the same labels and vocabulary, "
                                 "and read long texts alike.")
        self.members = members
        self.encoder, self.preprocessor, self.pairs = first.encoder, first.preprocessor, first.pairs
        self.labels, self.num_outputs = first.labels, first.num_outputs
        self.long_text, self.stride = first.long_text, first.stride
        self.built = True

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """The mean of the members' logits, float32 [batch, outputs]; arguments as ElectraEncoder."""
        logits = [member(inputs, segment_ids, padding_mask, training=False) for member in self.members]
        return tf.add_n(logits) / len(logits)

    def encode(self, x):
        return self.members[0].encode(x)

    def text_outputs(self, texts):
        """The mean of the members' logits for strings, all in the graph; see FirstTokenTask."""
        return tf.add_n([member.text_outputs(texts) for member in self.members]) / len(self.members)

    def fit(self, *arguments, **kwargs):
        raise InputError("an ensemble is not trained; train its members.")

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
            folder, kind=self.KIND, config=self.encoder.config, vocabulary=self.preprocessor.vocabulary,
            weights={f"member_{number}/{name}": weight for number, member in enumerate(self.members)
                     for name, weight in member.weights_by_name().items()},
            extra={"of": first.KIND, "members": len(self.members), **first.stored_settings()})

    @classmethod
    def from_preset(cls, folder):
        """The ensemble in a model folder.

        >>> ensemble = ElectraEnsemble.from_preset("sentiment")
        """
        saved = load_model_folder(folder)
        if saved.kind != cls.KIND:
            raise InputError(f"{folder} holds a model of kind {saved.kind!r}; expected an ensemble.")
        members = []
        for number in range(saved.extra["members"]):
            prefix = f"member_{number}/"
            weights = {name.removeprefix(prefix): array for name, array in saved.starting_with(prefix).items()}
            members.append(MEMBERS[saved.extra["of"]].from_saved(
                dataclasses.replace(saved, kind=saved.extra["of"], weights=weights)))
        return cls(members)
