"""A task as a fine-tuning run sees it: files in, a model to train, scores and predictions out."""

import dataclasses
import typing

from electra_tf.tasks.text_batches import EncodedTexts


@dataclasses.dataclass(frozen=True)
class Examples:
    """Encoded texts, what is to be told of them as `training_dataset` takes it, and the rows that they came from."""

    texts: EncodedTexts
    labels: typing.Any
    rows: typing.Any = None

    def __len__(self):
        return len(self.texts)


class FineTuningTask:
    """What a fine-tuning run must know of a task; each kind of task is one subclass.

    Rows are what `read` returns: they have a length, a `source` (name of the file) and a `hash()`, and for
    cross-validation `folds(count, seed=seed)`, the fold of each row, and `at(places)`, some of the rows. Scores have
    `numbers()`, a dict of float in which higher is better for every name in `metrics`, and `is_constant`, whether all
    answers are the same although the truths are not.

    Args:
        options: the dataclass of tasks/options.py that names the task and its columns.

    Attributes:
        metrics: names of the scores that may choose the best weights; the first does by default.
    """

    metrics = ()

    def __init__(self, options):
        self.options = options

    def read(self, source):
        """The rows of a labelled file.

        Raises:
            InputError: names file and line of what cannot be read.
        """
        raise NotImplementedError

    def new_model(self, folder, *, train, config, load_weights):
        """A TextTask with a new head on the encoder of a model folder.

        Args:
            folder: path of the model folder.
            train: rows; what labels there are follows from them.
            config: FineTuningConfig.
            load_weights: False leaves all weights new.
        """
        raise NotImplementedError

    def load_model(self, folder):
        """The TextTask that a run has saved."""
        raise NotImplementedError

    def examples(self, model, rows):
        """Examples of rows.

        Raises:
            InputError: a label that the model does not know, with file and line.
        """
        raise NotImplementedError

    def require_metric(self, metric, model):
        """InputError for one of `metrics` that a model with its labels does not have."""

    def scores(self, model, examples):
        """Scores of a model's answers."""
        raise NotImplementedError

    def unsettle(self, model):
        """Forgets what `settle` has chosen, or what an earlier task has."""

    def settle(self, model, examples):
        """Chooses on the validation set, after training, what training leaves open, such as a threshold."""

    def constant_guess_loss(self, examples):
        """The loss of one example if every answer is the same, the best such; None where that is not known."""
        return None

    def majority_level(self, examples, metric):
        """The score of the best constant answer; None where the task has none."""
        return None

    def predictions(self, model, rows):
        """A dict ready for JSON for each row: what was asked, what was answered, and the truth where it is known."""
        raise NotImplementedError

    def coloured_texts(self, model, predictions):
        """ColouredTexts for the report: what the surest mistakes rest on, where the task can tell.

        Args:
            model: the tuned TextTask.
            predictions: list of what `predictions` yielded.
        """
        return ()

    def write_official_predictions(self, folder, predictions):
        """Writes the list of `predictions` in the form that the task's own scripts read, if they have one."""

    def draw(self, scores, model, *, path, title):
        """Draws the scores as a PNG file, if there is something to see."""
