"""What every format is read into and written from: settings, vocabulary and arrays under this package's names."""

import dataclasses

import numpy as np

from electra_tf.config import ElectraConfig
from electra_tf.text.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class PortableModel:
    """One network or task model without a framework.

    Attributes:
        kind: "encoder", "discriminator", "generator", or a task such as "text_classifier".
        config: ElectraConfig of its encoder.
        weights: name -> numpy array, names as in a model folder.
        vocabulary: Vocabulary or None.
        extra: plain values that the kind needs (labels of a task, ...).
        told: sentences about what was left out or assumed on the way.
    """

    kind: str
    config: ElectraConfig
    weights: dict
    vocabulary: Vocabulary | None = None
    extra: dict = dataclasses.field(default_factory=dict)
    told: tuple = ()

    def starting_with(self, prefix):
        """The arrays whose names start with a prefix.

        >>> model.starting_with("encoder/").keys()
        """
        return {name: array for name, array in self.weights.items() if name.startswith(prefix)}


def float32(array):
    """An array as the float32 that every model folder holds; 16-bit floats lose nothing by it."""
    return np.ascontiguousarray(array, np.float32)
