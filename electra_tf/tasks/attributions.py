"""Which pieces of a text speak for an answer: integrated gradients (Sundararajan et al., 2017) of its logit."""

import dataclasses
import typing

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.tasks.first_token_task import FirstTokenTask
from electra_tf.tasks.labels import label_numbers
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.question_answering.span_head import answer_places
from electra_tf.tasks.question_answering.windows import pieces_of, window_labels
from electra_tf.tasks.tagging.tagged_text import split_texts
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.text_batches import encode_texts, text_columns
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.tokenizer import Tokenizer

NO_ANSWER = "no answer"
# Points of the way that the network sees at once: 32 for rows of 128 pieces, fewer for longer ones.
_PIECES_AT_ONCE = 32 * 128


class PieceAttribution(typing.NamedTuple):
    """One piece of the text and what it adds to the number behind the answer.

    Attributes:
        piece: as in the vocabulary ("##" continues a word).
        offsets: (start, end) in characters of the text that it stands in.
        value: above 0 where it speaks for the answer, below 0 where it speaks against it.
        in_second: whether it stands in the second text of a pair.
    """

    piece: str
    offsets: tuple
    value: float
    in_second: bool = False


@dataclasses.dataclass(frozen=True)
class Attributions:
    """What each piece adds to the number behind an answer.

    Attributes:
        label: name of the answer: a label, a tag, an ending, a piece of the context; of a regressor, of its score.
        pieces: list of PieceAttribution in the order of the text, without [CLS] and [SEP], which add nothing; pieces
            outside the window that was looked at are missing.
        logit: the answer's logit for the text; of a regressor, the score.
        baseline_logit: the same for the baseline. The values add up to logit - baseline_logit, up to the error of
            `steps`.
    """

    label: str
    pieces: list
    logit: float
    baseline_logit: float


def integrated_gradients(model, number_of, features, *, steps):
    """What each place of a row adds to a number that a network computes from the row.

    The word embeddings go in a straight line from a baseline to those of the row, segments and positions stay; the
    mean gradient of the number along that way, times the way, is what each place adds. The baseline is a row of as many
    [MASK], "a word, but which is not known". A tuned tiny_en calls it positive with 0.56 +- 0.01 whatever the length,
    a row of [PAD] with 0.31 +- 0.11: nothing ever attends to [PAD] in training.

    Args:
        model: TextTask with one encoder and a vocabulary.
        number_of: function of features with a batch of rows, with word_vectors float32 [batch, length, embedding_size]
            for the encoder among them -> float32 [batch].
        features: token_ids, segment_ids and padding_mask of one row, int32 [1, length].
        steps: points on the way, in the middles of equal parts.

    Returns:
        (float32 [length], the number for the row, the number for the baseline).

    Raises:
        InputError: steps below 1.

    >>> integrated_gradients(model, lambda features: model(features)[:, 1], features, steps=64)[0].sum()
    """
    if steps < 1:
        raise InputError(f"steps={steps} must be 1 or more.")
    token_ids = features["token_ids"]
    vocabulary, table = model.preprocessor.vocabulary, model.encoder.embeddings.word_embeddings
    is_special = np.isin(token_ids, (vocabulary.cls_id, vocabulary.sep_id, vocabulary.pad_id))
    start = tf.gather(table, np.where(is_special, token_ids, vocabulary.mask_id))
    way = tf.gather(table, token_ids) - start  # [1, length, embedding_size]

    def vectors_at(shares):
        return start + tf.constant(shares, tf.float32)[:, None, None] * way

    def numbers_at(vectors):
        repeated = {name: tf.repeat(values, len(vectors), axis=0) for name, values in features.items()}
        return number_of({**repeated, "word_vectors": vectors})

    baseline, row = numbers_at(vectors_at([0.0, 1.0])).numpy()
    gradient = tf.zeros_like(way[0])
    at_once = max(1, _PIECES_AT_ONCE // token_ids.shape[1])
    for some in np.array_split((np.arange(steps) + 0.5) / steps, -(-steps // at_once)):
        vectors = vectors_at(some)
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            numbers = numbers_at(vectors)
        gradient += tf.reduce_sum(tape.gradient(numbers, vectors), axis=0) / steps
    return tf.reduce_sum(gradient * way[0], axis=1).numpy(), float(row), float(baseline)


def text_attributions(model, text, *, label=None, steps=32):
    """Says of every piece of a text how much it adds to the logit of a label, or to the score.

    Args:
        model: ElectraTextClassifier, ElectraMultiLabelClassifier or ElectraTextRegressor.
        text: str, or (first, second) for a model of pairs.
        label: name or number; None takes the likeliest label.
        steps: points on the way; with more of them the values add up more exactly (a tuned tiny_en: within 4 % of the
            sum at 32 steps, 1 % at 64).

    Returns:
        Attributions; of a text longer than the model's input, of its first window.

    Raises:
        InputError: another kind of model, the text is no string (or pair), or there is no such label.

    >>> text_attributions(classifier, "a fine film").pieces[1]   # ('fine', (2, 6), 1.9)
    """
    _require_one_of(model, ElectraTextClassifier, ElectraMultiLabelClassifier, ElectraTextRegressor)
    columns = text_columns([text], pairs=model.pairs)
    features = _row(encode_texts(model.preprocessor, columns), 0)

    def outputs(features):
        logits = model(features, training=False)
        # In the score's own unit.
        return model.answers(logits) if isinstance(model, ElectraTextRegressor) else logits

    place = int(np.argmax(outputs(features)[0]) if label is None else label_numbers([label], model.labels)[0])
    values, *ends = integrated_gradients(model, lambda features: outputs(features)[:, place], features, steps=steps)
    return Attributions(model.labels[place], _pieces_of_columns(model, columns, features, values), *ends)


def choice_attributions(model, text, ending, *, steps=32):
    """Says of every piece of a text and one ending how much it adds to the ending's logit.

    Args:
        model: ElectraMultipleChoice, which gives each ending a logit without looking at the others.
        text, ending: str.
        steps: as for `text_attributions`.

    Returns:
        Attributions; `in_second` are the pieces of the ending.

    Raises:
        InputError: another kind of model, or text or ending is no string.

    >>> choice_attributions(model, "the glass fell", "it broke").pieces[-1]   # ('broke', (3, 8), 1.1, True)
    """
    _require_one_of(model, ElectraMultipleChoice)
    columns = text_columns([(text, ending)], pairs=True)
    features = _row(encode_texts(model.preprocessor, columns), 0)
    values, *ends = integrated_gradients(
        model, lambda features: FirstTokenTask.call(model, features)[:, 0], features, steps=steps)
    return Attributions(ending, _pieces_of_columns(model, columns, features, values), *ends)


def tag_attributions(tagger, words, *, word, tag=None, steps=32):
    """Says of every piece around a word how much it adds to the logit of the word's tag.

    Args:
        tagger: ElectraTokenClassifier.
        words: list of str; or a str, whose words are found as the tokenizer does it.
        word: number of the word, from 0; its logit is that of its first piece, or the mean over its pieces for a
            tagger that judges by all.
        tag: name or number; None takes the likeliest tag of the word alone.
        steps: as for `text_attributions`.

    Returns:
        Attributions of the window with most context around the word; offsets are those in the words with one space
        between two.

    Raises:
        InputError: another kind of model, no such word or tag, or a word of which cleaning leaves nothing.

    >>> tag_attributions(tagger, ["in", "Paris"], word=1, tag="B-LOC").pieces[0]   # ('in', (0, 2), 0.8)
    """
    _require_one_of(tagger, ElectraTokenClassifier)
    (source,), encoded = split_texts([words], tagger.preprocessor.vocabulary.settings), tagger.encode([words])
    if not 0 <= word < len(source.places):
        raise InputError(f"word={word} is not in the text, which has {len(source.places)} words; count from 0.")
    if encoded.is_empty_word[word]:
        raise InputError(f"word {word} is {source.words[word]!r}, of which nothing is left once the text is cleaned; "
                         f"choose another.")
    row, place, count = (int(values[word]) for values in (
        encoded.window_of_word, encoded.place_of_word, encoded.pieces_of_word))
    asked = slice(place, place + (count if tagger.label_pieces == "all" else 1))

    def logits_of_word(features):
        return tf.reduce_mean(tagger(features, training=False)[:, asked], axis=1)

    features = _row(encoded, row)
    number = int(np.argmax(logits_of_word(features)[0]) if tag is None else label_numbers([tag], tagger.labels)[0])
    values, *ends = integrated_gradients(
        tagger, lambda features: logits_of_word(features)[:, number], features, steps=steps)
    # A window is a stretch of the pieces of all words, of which a very long one is cut.
    tokens, longest = map(Tokenizer(tagger.preprocessor.vocabulary), source.words), tagger.preprocessor.sequence_length
    pieces = [[(piece, (shift + start, shift + end))
               for piece, (start, end) in zip(one.pieces[:longest - 2], one.offsets)]
              for one, (shift, _) in zip(tokens, source.places, strict=True)]
    first = sum(map(len, pieces[:word])) - (place - 1)
    return Attributions(tagger.labels[number],
                        _valued(sum(pieces, [])[first:], values[1:int(encoded.lengths[row]) - 1]), *ends)


def answer_attributions(answerer, question, context, *, span, steps=32):
    """Says of every piece of a question and its context how much it adds to an answer's logits: start and end summed.

    Args:
        answerer: ElectraQuestionAnswerer.
        question, context: str.
        span: (start, end) of the answer, in characters of the context; None for "there is no answer", whose logit is
            the classifier's or, without one, that of the span that is [CLS] alone.
        steps: as for `text_attributions`.

    Returns:
        Attributions of the window that gives this answer; `in_second` are the pieces of the context.

    Raises:
        InputError: another kind of model, or no window holds the whole span.

    >>> answer_attributions(answerer, "Who came?", "Ann came late.", span=(0, 3)).pieces[1]   # ('came', (4, 8), 0.4)
    """
    _require_one_of(answerer, ElectraQuestionAnswerer)
    windows = answerer.encode(([question], [context]))
    row, start, end = _place_of_span(answerer, windows, span)

    def number_of(features):
        hidden = answerer.encoder(features, training=False)
        logits = answerer.head(hidden, answer_places(features["segment_ids"], features["padding_mask"]),
                               start_positions=np.full(len(hidden), start, np.int32))
        says_impossible = span is None and logits.impossible is not None
        return logits.impossible if says_impossible else logits.start[:, start] + logits.end[:, end]

    values, *ends = integrated_gradients(answerer, number_of, _row(windows, row), steps=steps)
    begin, first = int(windows.first_places[row]), int(windows.first_pieces[row])
    asked, told = map(Tokenizer(answerer.preprocessor.vocabulary), (question, context))
    pieces = [*_valued(zip(asked.pieces, asked.offsets), values[1:begin - 1]),
              *_valued(zip(told.pieces[first:], told.offsets[first:]), values[begin:int(windows.lengths[row]) - 1],
                       in_second=True)]
    return Attributions(NO_ANSWER if span is None else context[slice(*span)], pieces, *ends)


def _require_one_of(model, *kinds):
    # The members of an ensemble have a table of word embeddings each.
    if not isinstance(model, kinds) or hasattr(model, "members"):
        found = "an ensemble" if hasattr(model, "members") else f"of kind {model.KIND!r}"
        raise InputError(f"the model is {found}; expected a single {' or '.join(kind.KIND for kind in kinds)}.")


def _place_of_span(answerer, windows, span):
    """(row, first place, last place) of a span in the window that `best_answers` takes it from."""
    if span is None:
        # Whether there is an answer is judged by the window that says so the loudest.
        rows = [_row(windows, row) for row in range(len(windows))]
        return int(np.argmin([float(answerer(features, training=False).no_answer[0]) for features in rows])), 0, 0
    labels = window_labels(windows, [pieces_of(windows.contexts[0], *span)], is_impossible=[False])
    rows = np.flatnonzero(labels["start"] > 0)
    if not len(rows):
        raise InputError(f"span={tuple(span)} lies in no window of the context as a whole; give the start and end of "
                         f"an answer of this model.")
    best = [row for row in rows if windows.is_best_window[row, labels["start"][row]]]
    row = int([*best, *rows][0])
    return row, int(labels["start"][row]), int(labels["end"][row])


def _row(encoded, row):
    """The features of one row of EncodedTexts, int32 [1, length]."""
    return encoded.batch(np.array([row]), batch_size=1)


def _pieces_of_columns(model, columns, features, values):
    """PieceAttributions of [CLS] first [SEP], or [CLS] first [SEP] second [SEP]."""
    in_second_part = int(np.sum(features["segment_ids"]))                 # its last [SEP] counted
    in_first_part = int(np.sum(features["padding_mask"])) - in_second_part  # [CLS] and [SEP] counted
    ends, found = (in_first_part - 1, in_first_part + max(0, in_second_part - 1)), []
    for number, ((one,), begin, end) in enumerate(zip(columns, (1, in_first_part), ends)):
        tokens = Tokenizer(model.preprocessor.vocabulary)(one)
        found += _valued(zip(tokens.pieces, tokens.offsets), values[begin:end], in_second=number == 1)
    return found


def _valued(pieces, values, *, in_second=False):
    """A PieceAttribution for each value, from as many (piece, offsets) or more."""
    return [PieceAttribution(piece, tuple(offsets), float(value), in_second)
            for (piece, offsets), value in zip(pieces, values)]
