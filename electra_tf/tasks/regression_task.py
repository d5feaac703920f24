"""Regression as a fine-tuning run sees it."""

import math

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from electra_tf.errors import InputError
from electra_tf.model.precision import dtype_policy
from electra_tf.tasks.confusion_picture import AS_WRITTEN
from electra_tf.tasks.fine_tuning_task import Examples, FineTuningTask
from electra_tf.tasks.labelled_files import read_labelled_texts
from electra_tf.tasks.regression_scores import METRICS, RegressionScores
from electra_tf.tasks.report.coloured_texts import coloured_scores
from electra_tf.tasks.text_regression import ElectraTextRegressor


class RegressionTask(FineTuningTask):
    """A number for a text or a pair of texts; options: Regression. The range is that of the training scores."""

    metrics = METRICS

    def read(self, source):
        rows = read_labelled_texts(source, text_columns=self.options.text_columns,
                                   label_column=self.options.label_column)
        _numbers(rows)
        return rows

    def new_model(self, folder, *, train, config, load_weights):
        scores = _numbers(train)
        if min(scores) == max(scores):
            raise InputError(f"{train.source}: the scores are all {scores[0]:g}; there is nothing to learn.")
        return ElectraTextRegressor.from_preset(
            folder, score_range=(min(scores), max(scores)), sequence_length=config.sequence_length,
            pairs=len(self.options.text_columns) == 2, dropout=config.dropout, load_weights=load_weights,
            long_text=self.options.long_text, stride=self.options.stride,
            dtype=dtype_policy(config.precision))

    def load_model(self, folder):
        return ElectraTextRegressor.from_preset(folder)

    def examples(self, model, rows):
        return Examples(model.encode(rows.texts), model.label_numbers(_numbers(rows)), rows)

    def scores(self, model, examples):
        answers = model.predict_encoded(examples.texts, verbose=0)[:, 0]
        return RegressionScores(np.array(_numbers(examples.rows)), answers.astype(float))

    def constant_guess_loss(self, examples):
        """Squared error of always answering with the mean."""
        return float(np.var(examples.labels))

    def majority_level(self, examples, metric):
        """A constant answer has no correlation with anything."""
        return 0.0

    def predictions(self, model, rows):
        for text, label, answer in zip(zip(*rows.columns, strict=True), _numbers(rows),
                                       model.predict(rows.texts, verbose=0), strict=True):
            yield {"text": text[0] if len(text) == 1 else list(text), "label": label, "prediction": float(answer)}

    def coloured_texts(self, model, predictions):
        return coloured_scores(model, predictions)

    @matplotlib.rc_context(AS_WRITTEN)
    def draw(self, scores, model, *, path, title):
        figure = Figure(figsize=(5, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.plot(scores.targets, scores.predictions, ".", alpha=0.3)
        axes.plot(model.score_range, model.score_range, color="gray", linewidth=1)
        axes.set(xlabel="true score", ylabel="predicted score", title=title)
        figure.savefig(path, dpi=100)


def _numbers(rows):
    """The scores of rows as floats."""
    found = []
    for row, label in enumerate(rows.labels):
        try:
            number = float(label)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InputError(f"{rows.where(row)}: the score is {label!r}; expected a number.")
        found.append(number)
    return found
