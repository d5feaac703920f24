"""A number for a text or a pair of texts: the original's head and loss for similarity scores."""

import keras

from electra_tf.errors import InputError
from electra_tf.tasks.first_token_task import FirstTokenTask
from electra_tf.tasks.regression_loss import regression_losses, scaled_targets


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraTextRegressor(FirstTokenTask):
    """Gives texts, or pairs of texts, a score. `fit`, `evaluate` and `predict` take Python lists of str.

    Called on a dictionary of token_ids, segment_ids and padding_mask it returns float32 [batch, 1], in which 0 stands
    for the lowest score of the range and 1 for the highest; the output is not squashed.

    Args:
        encoder: ElectraEncoder.
        score_range: (lowest, highest) score.
        labels: one name, of the score.
        **kwargs: preprocessor, pairs, dropout, head_hidden_layer: see FirstTokenTask.

    >>> regressor = ElectraTextRegressor.from_preset("tiny_en", score_range=(0, 5), pairs=True)
    >>> regressor.fit((["a fine film"], ["a good film"]), [4.6])
    >>> regressor.predict((["a fine film"], ["a bore"]))   # [1.2]
    """

    KIND = "text_regressor"
    HEAD_SETTINGS = ("score_range", "labels")

    def __init__(self, encoder, *, score_range=(0.0, 1.0), labels=("score",), **kwargs):
        score_range = tuple(map(float, score_range))
        if len(score_range) != 2 or not score_range[0] < score_range[1]:
            raise InputError(f"score_range={score_range} must be the lowest and the highest score.")
        super().__init__(encoder, num_outputs=1, **kwargs)
        self.score_range, self.labels = score_range, tuple(labels)

    def label_numbers(self, y):
        """Scores -> float32 [examples], 0 for the lowest and 1 for the highest of the range."""
        lowest, highest = self.score_range
        return scaled_targets([float(score) for score in y], lowest=lowest, highest=highest).numpy()

    def losses(self, labels, logits):
        """Squared error of each example, float32 [batch], as in the original."""
        return regression_losses(logits[:, 0], labels)

    def answers(self, logits):
        """Scores float32 [batch, 1]."""
        lowest, highest = self.score_range
        return lowest + logits * (highest - lowest)

    def served_outputs(self, logits):
        """What an export returns for logits: name -> tensor."""
        return {"scores": self.answers(logits)[:, 0], "logits": logits}

    def predict(self, x, *, batch_size=64, **kwargs):
        """Scores float32 [texts]; `x` as for `fit`."""
        return super().predict(x, batch_size=batch_size, **kwargs)[:, 0]

    def default_metrics(self):
        return [keras.metrics.MeanSquaredError("mean_squared_error")]

    @classmethod
    def from_preset(cls, folder, *, score_range=None, **kwargs):
        """A regressor from a model folder of any kind, or from a model that ships with the package.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            score_range: (lowest, highest) score of a new head; None loads a regressor whole.
            **kwargs: see FirstTokenTask.from_folder.

        >>> regressor = ElectraTextRegressor.from_preset("tiny_en", score_range=(0, 5), pairs=True)
        """
        return cls.from_folder(folder, new_head=None if score_range is None else {"score_range": score_range}, **kwargs)
