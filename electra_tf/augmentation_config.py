"""Settings of augmentation; `electra_tf.config` has them too."""

import dataclasses

from electra_tf.settings import require, require_one_of, setting

NEW_TOKENS = ("mask", "random", "generator")


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """How the texts of a training set are changed anew in every epoch (Wei and Zou, 2019, on the pieces of words).

    Each rate is the chance of every token by itself; [CLS], [SEP] and padding never change.

    >>> AugmentationConfig(deletion_rate=0.1).is_on   # True
    """

    deletion_rate: float = setting(0.0, "chance of a token to be deleted, 0..1; a text never loses its last one")
    swap_rate: float = setting(0.0, "chance of a token to change places with the next one so chosen, 0..1")
    insertion_rate: float = setting(0.0, "chance of a token to be followed by a new one, 0..1")
    replacement_rate: float = setting(0.0, "chance of a token to be replaced by a new one, 0..1")
    new_tokens: str = setting("mask", "what is inserted and what replaces: mask, the piece [MASK]; random, any piece; "
                                      "or generator, what a generator proposes in its place")
    generator: str = setting("", "model folder of the generator, or the pretraining run that made it, for "
                                 "new_tokens=generator")

    def __post_init__(self):
        for name in ("deletion_rate", "swap_rate", "insertion_rate", "replacement_rate"):
            value = getattr(self, name)
            require(0 <= value < 1, f"{name}={value} must lie in [0, 1); 0 switches it off.")
        require_one_of(self, "new_tokens", NEW_TOKENS)
        require((self.new_tokens == "generator") == bool(self.generator),
                f"new_tokens={self.new_tokens!r} and generator={self.generator!r} do not go together; give both for "
                f"the samples of a generator.")
        require(self.new_tokens == "mask" or self.insertion_rate or self.replacement_rate,
                f"new_tokens={self.new_tokens!r} says nothing while insertion_rate and replacement_rate are 0.")

    @property
    def is_on(self):
        return any((self.deletion_rate, self.swap_rate, self.insertion_rate, self.replacement_rate))
