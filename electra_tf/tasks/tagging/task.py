"""Token classification as a fine-tuning run sees it."""

import collections
import dataclasses
import pathlib
import sys

import numpy as np

from electra_tf.errors import InputError
from electra_tf.files import some_names
from electra_tf.model.precision import dtype_policy
from electra_tf.tasks.confusion_picture import draw_confusion
from electra_tf.tasks.fine_tuning_task import Examples, FineTuningTask
from electra_tf.tasks.labels import label_names
from electra_tf.tasks.report.coloured_texts import coloured_tags
from electra_tf.tasks.tagging.tag_schemes import OUTSIDE, PLAIN, labels_of, spans_of, tags_of
from electra_tf.tasks.tagging.tagged_files import read_tagged_sentences
from electra_tf.tasks.tagging.tagged_text import tagged_text
from electra_tf.tasks.tagging.tagging_scores import METRICS, scored_spans, tagging_scores
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.text.basic_tokenizer import word_places


class TokenClassificationTask(FineTuningTask):
    """A tag for each word of a sentence; options: TokenClassification."""

    metrics = METRICS

    def read(self, source):
        rows = read_tagged_sentences(
            source, token_column=self.options.token_column, tag_column=self.options.tag_column,
            scheme=self.options.scheme, drop_last_character=self.options.drop_last_character)
        _tell(*rows.told)
        return rows

    def new_model(self, folder, *, train, config, load_weights):
        scheme, empty_word_tag = train.scheme, None
        if scheme == PLAIN:
            counts = collections.Counter(tag for tags in train.tags for tag in tags)
            labels, empty_word_tag = label_names(counts, source=train.source), counts.most_common(1)[0][0]
        else:
            scheme = self.options.model_scheme
            types = {span.type for tags in train.tags for span in spans_of(tags)}
            if not types:
                raise InputError(f"{train.source}: every tag is O; a tagger needs spans to learn.")
            labels = labels_of(types, scheme)
        return ElectraTokenClassifier.from_preset(
            folder, labels=labels, scheme=scheme, empty_word_tag=empty_word_tag, dropout=config.dropout,
            sequence_length=config.sequence_length, label_pieces=self.options.label_pieces, stride=self.options.stride,
            segment_id=self.options.segment_id, load_weights=load_weights,
            dtype=dtype_policy(config.precision))

    def load_model(self, folder):
        return ElectraTokenClassifier.from_preset(folder)

    def examples(self, model, rows):
        tags = _tags_for(model, rows)
        _require_equal_words(model, rows)
        encoded = model.encode(rows.words)
        num_empty = int(encoded.is_empty_word.sum())
        if num_empty:
            words = (word for sentence in rows.words for word in sentence)
            lines = (line for sentence in rows.lines for line in sentence)
            word, line = next((word, line) for word, line, is_empty in zip(words, lines, encoded.is_empty_word)
                              if is_empty)
            _tell(f"{rows.source}: of {num_empty} words nothing is left once the text is cleaned (the first is "
                  f"{word!r} in line {line}); they get the tag {model.empty_word_tag}.")
        return Examples(encoded, model.labels_for(encoded, tags), rows)

    def scores(self, model, examples):
        predicted = [tags for tags, _ in model.tag_encoded(examples.texts)]
        return tagging_scores(_tags_for(model, examples.rows), predicted, scheme=model.scheme)

    def constant_guess_loss(self, examples):
        """The sum over a row's words of the cross-entropy of always answering with the shares of the labels."""
        labels = examples.labels.values
        counts = np.bincount(labels[labels >= 0])
        counts = counts[counts > 0]
        return float(-(counts * np.log(counts / counts.sum())).sum() / len(examples))

    def majority_level(self, examples, metric):
        """Of always answering O, or the commonest of plain tags."""
        tags, scheme = examples.rows.tags, examples.rows.scheme
        counts = collections.Counter(tag for sentence in tags for tag in sentence)
        answer = counts.most_common(1)[0][0] if scheme == PLAIN else OUTSIDE
        answers = [[answer] * len(sentence) for sentence in tags]
        return tagging_scores(tags, answers, scheme=scheme).numbers()[metric]

    def predictions(self, model, rows):
        for source, tags, answer in zip(rows.texts, _tags_for(model, rows), model.predict(rows.words), strict=True):
            predicted = [word.tag for word in answer.words]
            probabilities = [word.probability and round(word.probability, 6) for word in answer.words]
            spans = tagged_text(source, predicted, probabilities, scheme=model.scheme).spans or ()
            yield {"text": source.text, "spans": list(map(dataclasses.asdict, spans)), "words": source.words,
                   "label": _spans_for_json(tags, model.scheme),
                   "prediction": _spans_for_json(predicted, model.scheme), "tags": tags, "predicted_tags": predicted,
                   "probabilities": probabilities}

    def coloured_texts(self, model, predictions):
        return coloured_tags(model, predictions)

    def draw(self, scores, model, *, path, title):
        draw_confusion(scores.confusion, scores.types, path=path, title=title)


def _require_equal_words(model, rows):
    """InputError where the texts of JSON lines have other words than the model would tag."""
    settings = model.preprocessor.vocabulary.settings
    if settings.split_cjk or ".jsonl" not in pathlib.Path(str(rows.source).lower()).suffixes:
        return
    for text, lines in zip(rows.texts, rows.lines, strict=True):
        if word_places(text.text, settings) != text.places:
            raise InputError(f"{rows.source}, line {lines[0]}: the model's vocabulary does not make each Chinese "
                             f"character a word, JSON lines do; give a file with a word and its tag in each line.")


def _tags_for(model, rows):
    """The tags of rows in the scheme of a model.

    Raises:
        InputError: a tag that the model does not have, with file and line.
    """
    converted = rows.tags
    if PLAIN not in (model.scheme, rows.scheme):
        converted = [tags_of(spans_of(tags), len(tags), model.scheme) for tags in rows.tags]
    known = set(model.labels)
    for sentence, tags in enumerate(converted):
        for word, tag in enumerate(tags):
            if tag not in known:
                raise InputError(f"{rows.source}, line {rows.lines[sentence][word]}: tag {rows.tags[sentence][word]!r} "
                                 f"does not occur in the training set, whose labels are "
                                 f"{some_names(model.labels, most=20)}; correct the tag or add examples of it.")
    return converted


def _spans_for_json(tags, scheme):
    """The spans that are scored, in words."""
    return [span._asdict() for span in scored_spans(tags, scheme)]


def _tell(*sentences):
    for sentence in sentences:
        print(sentence, file=sys.stderr)
