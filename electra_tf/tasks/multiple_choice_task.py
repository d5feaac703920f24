"""Multiple choice as a fine-tuning run sees it."""

import math

import numpy as np

from electra_tf.errors import InputError
from electra_tf.files import some_names
from electra_tf.model.precision import dtype_policy
from electra_tf.tasks.classification_scores import METRICS, classification_scores
from electra_tf.tasks.confusion_picture import draw_confusion
from electra_tf.tasks.fine_tuning_task import Examples, FineTuningTask
from electra_tf.tasks.labelled_files import read_labelled_texts
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.report.coloured_texts import coloured_choices
from electra_tf.tasks.statistics.collapse import majority_level


class MultipleChoiceTask(FineTuningTask):
    """The best of several endings of a text; options: MultipleChoice."""

    metrics = METRICS

    def read(self, source):
        rows = read_labelled_texts(source, text_columns=(*self.options.text_columns, *self.options.choice_columns),
                                   label_column=self.options.label_column)
        self._places(rows)
        return rows

    def new_model(self, folder, *, train, config, load_weights):
        return ElectraMultipleChoice.from_preset(
            folder, num_choices=len(self.options.choice_columns), sequence_length=config.sequence_length,
            dropout=config.dropout, load_weights=load_weights,
            long_text=self.options.long_text, stride=self.options.stride,
            dtype=dtype_policy(config.precision))

    def load_model(self, folder):
        return ElectraMultipleChoice.from_preset(folder)

    def examples(self, model, rows):
        return Examples(model.encode(_texts(rows)), self._places(rows), rows)

    def scores(self, model, examples):
        answers = model.predict_encoded(examples.texts, verbose=0).argmax(axis=1)
        return classification_scores(examples.labels, answers, num_labels=len(self.options.choice_columns))

    def constant_guess_loss(self, examples):
        """Cross-entropy of finding all endings equally likely."""
        return math.log(len(self.options.choice_columns))

    def majority_level(self, examples, metric):
        """Of always choosing the ending in one place."""
        return majority_level(examples.labels, num_labels=len(self.options.choice_columns), metric=metric)

    def predictions(self, model, rows):
        names = self.options.choice_columns
        for (text, choices), place, answer in zip(_texts(rows), self._places(rows),
                                                  model.predict(_texts(rows), verbose=0), strict=True):
            yield {"text": text, "choices": list(choices), "label": names[place], "prediction": names[answer.argmax()],
                   "probabilities": [round(float(share), 6) for share in answer]}

    def coloured_texts(self, model, predictions):
        return coloured_choices(model, predictions, names=self.options.choice_columns)

    def draw(self, scores, model, *, path, title):
        draw_confusion(scores.confusion, self.options.choice_columns, path=path, title=title)

    def _places(self, rows):
        """The place of each row's right ending, from the name of its column or its number."""
        names = self.options.choice_columns
        place_of = {key: place for place, name in enumerate(names) for key in (str(place), name)}
        for row, label in enumerate(rows.labels):
            if label not in place_of:
                raise InputError(f"{rows.where(row)}: label {label!r} names no choice; expected one of "
                                 f"{some_names(names, most=20)}, or its number from 0.")
        return np.array([place_of[label] for label in rows.labels], np.int32)


def _texts(rows):
    """A (text, endings) for each row."""
    return [(text, choices) for text, *choices in zip(*rows.columns, strict=True)]
