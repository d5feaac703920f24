"""Text classification as a fine-tuning run sees it."""

import dataclasses

import numpy as np

from electra_tf.errors import InputError
from electra_tf.model.precision import dtype_policy
from electra_tf.tasks.classification_scores import BINARY_METRICS, METRICS, classification_scores
from electra_tf.tasks.confusion_picture import draw_confusion
from electra_tf.tasks.fine_tuning_task import Examples, FineTuningTask
from electra_tf.tasks.labelled_files import read_labelled_texts
from electra_tf.tasks.labels import label_names, label_numbers
from electra_tf.tasks.report.coloured_texts import coloured_mistakes
from electra_tf.tasks.statistics.collapse import majority_level
from electra_tf.tasks.text_classification import ElectraTextClassifier


@dataclasses.dataclass(frozen=True)
class LabelledExamples(Examples):
    """Examples of a model with `num_labels` labels, of which some may be missing here."""

    num_labels: int = 0


class ClassificationTask(FineTuningTask):
    """One label for a text or a pair of texts; options: TextClassification."""

    metrics = METRICS + BINARY_METRICS

    def read(self, source):
        return read_labelled_texts(source, text_columns=self.options.text_columns,
                                   label_column=self.options.label_column)

    def new_model(self, folder, *, train, config, load_weights):
        return ElectraTextClassifier.from_preset(
            folder, labels=label_names(train.labels, source=train.source, where=train.where),
            sequence_length=config.sequence_length,
            pairs=len(self.options.text_columns) == 2, dropout=config.dropout, load_weights=load_weights,
            long_text=self.options.long_text, stride=self.options.stride,
            dtype=dtype_policy(config.precision))

    def load_model(self, folder):
        return ElectraTextClassifier.from_preset(folder)

    def examples(self, model, rows):
        return LabelledExamples(model.encode(rows.texts), label_numbers(rows.labels, model.labels, where=rows.where),
                                rows, num_labels=len(model.labels))

    def require_metric(self, metric, model):
        if metric in BINARY_METRICS and len(model.labels) != 2:
            raise InputError(f"metric={metric!r} is of the second of two labels, and there are {len(model.labels)}; "
                             f"choose one of {', '.join(METRICS)}.")

    def scores(self, model, examples):
        answers = model.predict_encoded(examples.texts, verbose=0).argmax(axis=1)
        return classification_scores(examples.labels, answers, num_labels=len(model.labels))

    def constant_guess_loss(self, examples):
        """Cross-entropy of always answering with the shares of the labels."""
        shares = np.bincount(examples.labels) / len(examples)
        shares = shares[shares > 0]
        return float(-(shares * np.log(shares)).sum())

    def majority_level(self, examples, metric):
        """Of always answering one label; labels that are missing here count as they do in the scores."""
        return majority_level(examples.labels, num_labels=examples.num_labels, metric=metric)

    def predictions(self, model, rows):
        for text, label, answer in zip(zip(*rows.columns, strict=True), rows.labels,
                                       model.predict(rows.texts, verbose=0), strict=True):
            yield {"text": text[0] if len(text) == 1 else list(text), "label": label,
                   "prediction": model.labels[answer.argmax()],
                   "probabilities": [round(float(share), 6) for share in answer]}

    def coloured_texts(self, model, predictions):
        return coloured_mistakes(model, predictions)

    def draw(self, scores, model, *, path, title):
        draw_confusion(scores.confusion, model.labels, path=path, title=title)
