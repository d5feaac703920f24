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
        self._require_clear_labels(rows)
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
        names = self._names
        for (text, choices), place, answer in zip(_texts(rows), self._places(rows),
                                                  model.predict(_texts(rows), verbose=0), strict=True):
            yield {"text": text, "choices": list(choices), "label": names[place], "prediction": names[answer.argmax()],
                   "probabilities": [round(float(share), 6) for share in answer]}

    def coloured_texts(self, model, predictions):
        return coloured_choices(model, predictions, names=self._names)

    def draw(self, scores, model, *, path, title):
        draw_confusion(scores.confusion, self._names, path=path, title=title)

    @property
    def _names(self):
        """What the choices are called: as their columns; where a column is given by number, by their places from 0."""
        columns = self.options.choice_columns
        return tuple(map(str, range(len(columns)))) if any(map(_is_number, columns)) else columns

    def _places(self, rows):
        """The place of each row's right ending: all labels are names of the choices, or all are places from 0."""
        names = self._names
        by_name = {name: place for place, name in enumerate(names)}
        by_number = {str(place): place for place in range(len(names))}
        place_of = by_number if by_name.keys().isdisjoint(rows.labels) else by_name
        for row, label in enumerate(rows.labels):
            if label not in place_of:
                raise InputError(f"{rows.where(row)}: label {label!r} " + self._what_was_expected(label in by_number))
        return np.array([place_of[label] for label in rows.labels], np.int32)

    def _what_was_expected(self, is_number):
        """What is wrong with a label, which may be a number among names."""
        names = some_names(self._names, most=20)
        if is_number:
            return (f"is a number, but other labels of the file are names of columns; give all as names, {names}, or "
                    f"all as numbers from 0.")
        if self._names != self.options.choice_columns:
            return (f"names no choice; expected one of {names}: choices whose columns are given by number are counted "
                    f"from 0.")
        return f"names no choice; expected one of {names}, or its number from 0."

    def _require_clear_labels(self, rows):
        """InputError where every label of a file could be the number of a column, too, and that of another choice."""
        columns, labels = self.options.choice_columns, sorted(set(rows.labels))
        are_numbers = self._names != columns and set(labels) <= set(columns)
        if are_numbers and any(columns[int(label)] != label for label in labels):
            raise InputError(f"{rows.source}: each label ({some_names(labels, most=20)}) is the number of a choice's "
                             f"column and a choice's place from 0, and these are different choices; name the columns "
                             f"in the file and in choice_columns, other than by numbers, so that one of them is meant.")


def _is_number(name):
    """Whether the name of a column is a number, such as -1."""
    return name.lstrip("+-").isdecimal()


def _texts(rows):
    """A (text, endings) for each row."""
    return [(text, choices) for text, *choices in zip(*rows.columns, strict=True)]
