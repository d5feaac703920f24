"""Multi-label classification as a fine-tuning run sees it."""

import json

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from electra_tf.errors import InputError
from electra_tf.model.precision import dtype_policy
from electra_tf.tasks.confusion_picture import AS_WRITTEN
from electra_tf.tasks.fine_tuning_task import Examples, FineTuningTask
from electra_tf.tasks.labelled_files import read_labelled_texts
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier, label_table
from electra_tf.tasks.multi_label_scores import METRICS, THRESHOLD, MultiLabelScores
from electra_tf.tasks.report.coloured_texts import coloured_labels


class MultiLabelTask(FineTuningTask):
    """Any number of labels for a text or a pair of texts; options: MultiLabel.

    The labels of a row stand in one field with a separator between them, or are a list in a .jsonl file.
    """

    metrics = METRICS

    def read(self, source):
        return read_labelled_texts(source, text_columns=self.options.text_columns,
                                   label_column=self.options.label_column, several_labels=True)

    def new_model(self, folder, *, train, config, load_weights):
        labels = sorted({label for labels in self._labels(train) for label in labels})
        if not labels:
            raise InputError(f"{train.source}: no row has a label.")
        return ElectraMultiLabelClassifier.from_preset(
            folder, labels=labels, sequence_length=config.sequence_length,
            pairs=len(self.options.text_columns) == 2, dropout=config.dropout, load_weights=load_weights,
            long_text=self.options.long_text, stride=self.options.stride,
            dtype=dtype_policy(config.precision))

    def load_model(self, folder):
        return ElectraMultiLabelClassifier.from_preset(folder)

    def examples(self, model, rows):
        table = label_table(self._labels(rows), model.labels, where=rows.where)
        return Examples(model.encode(rows.texts), table, rows)

    def scores(self, model, examples):
        return MultiLabelScores(examples.labels > 0, model.predict_encoded(examples.texts, verbose=0))

    def constant_guess_loss(self, examples):
        """Sigmoid cross-entropy of always answering with the share of each label."""
        shares = np.clip(examples.labels.mean(axis=0), 1e-9, 1 - 1e-9)
        return float(-(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)).mean())

    def majority_level(self, examples, metric):
        """Of always answering the commonest set of labels."""
        labels = examples.labels > 0
        sets, counts = np.unique(labels, axis=0, return_counts=True)
        answers = np.broadcast_to(sets[counts.argmax()], labels.shape).astype(float)
        return MultiLabelScores(labels, answers).numbers()[metric]

    def predictions(self, model, rows):
        for text, labels, answer in zip(zip(*rows.columns, strict=True), self._labels(rows),
                                        model.predict(rows.texts, verbose=0), strict=True):
            chosen = [label for label, share in zip(model.labels, answer, strict=True) if share >= THRESHOLD]
            yield {"text": text[0] if len(text) == 1 else list(text), "label": labels, "prediction": chosen,
                   "probabilities": {label: round(float(share), 6)
                                     for label, share in zip(model.labels, answer, strict=True)}}

    def coloured_texts(self, model, predictions):
        return coloured_labels(model, predictions)

    @matplotlib.rc_context(AS_WRITTEN)
    def draw(self, scores, model, *, path, title):
        f1 = scores.precision_recall_f1(0)[2]
        figure = Figure(figsize=(6, 1.5 + 0.25 * len(f1)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.barh(model.labels, f1)
        axes.invert_yaxis()
        axes.set(xlabel="F1 of each label", xlim=(0, 1), title=title)
        figure.savefig(path, dpi=100)

    def _labels(self, rows):
        """A list of names for each row."""
        is_json = rows.source.lower().removesuffix(".gz").removesuffix(".xz").endswith(".jsonl")
        found = []
        for row, label in enumerate(rows.labels):
            names = _listed_names(label) if is_json else None
            if names is None:
                names = [name.strip() for name in label.split(self.options.label_separator)] if label.strip() else []
            if "" in names:
                raise InputError(f"{rows.where(row)}: {label!r} holds an empty label.")
            found.append(names)
        return found


def _listed_names(label):
    """The names in a label that was a list in its .jsonl, or None for one that was a string."""
    # The reader hands a list on as its JSON text. A string is told from it by being no JSON list of strings: "[sport"
    # and "[1]" are labels as they stand. A string '["sport", "film"]' is the list that whoever wrote it so had in mind.
    if not label.startswith("["):
        return None
    try:
        names = json.loads(label)
    except ValueError:
        return None
    return names if all(isinstance(name, str) for name in names) else None
