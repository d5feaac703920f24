"""What a pretrained generator and discriminator say about the words of a text."""

import dataclasses

import numpy as np
import tensorflow as tf

from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.serving.answer_difference import largest_answer_difference
from electra_tf.serving.engines import choose_engine, start_engine
from electra_tf.serving.request_batches import with_short_length
from electra_tf.serving.samples import SAMPLE_TEXTS
from electra_tf.tasks.text_batches import rows_of_ids
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.vocabulary import CONTINUATION, MASK, SPECIAL_PIECES

_BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A piece for a [MASK], and its probability."""

    piece: str
    probability: float


@dataclasses.dataclass(frozen=True)
class FilledMasks:
    """For each [MASK] the likeliest pieces, best first; `truncated` if the text was too long for the model."""

    masks: tuple
    truncated: bool


@dataclasses.dataclass(frozen=True)
class JudgedWord:
    """A word, text[start:end] of the user's string, and the probability that it was replaced."""

    word: str
    start: int
    end: int
    probability: float


@dataclasses.dataclass(frozen=True)
class JudgedWords:
    """Every word of a text; `truncated` if the text was too long for the model, so that its end is not judged."""

    words: tuple
    truncated: bool


class MaskFiller:
    """Fills what stands as [MASK] in a text.

    Args:
        folder: model folder of kind "generator".
        sequence_length: longest input in pieces.
        top_k: candidates for each [MASK].

    >>> MaskFiller("runs/small/generator")(["the capital of france is [MASK]."])[0].masks[0][0].piece   # 'paris'
    """

    def __init__(self, folder, *, sequence_length, top_k):
        generator = ElectraGenerator.from_preset(folder)
        self._vocabulary, self._tokenizer = generator.vocabulary, Tokenizer(generator.vocabulary)
        self._length = min(sequence_length, generator.config.max_positions)
        is_special = np.isin(generator.vocabulary.pieces, SPECIAL_PIECES)

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)] * 3)
        def best(token_ids, padding_mask, positions):
            probabilities = tf.nn.softmax(generator(token_ids, None, padding_mask, positions=positions))
            return tf.math.top_k(tf.where(is_special, 0.0, probabilities[..., :len(is_special)]), top_k)
        self._best = best

    def __call__(self, texts):
        """List of FilledMasks for texts."""
        return [answer for batch in _batches(texts) for answer in self._fill(batch)]

    def _fill(self, texts):
        rows = [self._with_masks(text) for text in texts]
        features = rows_of_ids(rows, sequence_length=self._length, vocabulary=self._vocabulary).batch(
            np.arange(len(rows)), batch_size=len(rows))
        token_ids, padding_mask = features["token_ids"], features["padding_mask"]
        positions = [np.flatnonzero(row == self._vocabulary.mask_id) for row in token_ids]
        slots = np.zeros((len(rows), max(1, *map(len, positions), 0)), np.int32)
        for slot_row, places in zip(slots, positions, strict=True):
            slot_row[:len(places)] = places
        probabilities, ids = (values.numpy() for values in self._best(token_ids, padding_mask, slots))
        return [FilledMasks(tuple(self._candidates(ids[row, slot], probabilities[row, slot])
                                  for slot in range(len(places))), len(rows[row]) > self._length - 2)
                for row, places in enumerate(positions)]

    def _with_masks(self, text):
        """The ids of a text; [MASK] is a place to fill here, never a word for the tokenizer."""
        first, *others = map(self._tokenizer.ids, text.split(MASK))
        return first + [token_id for part in others for token_id in (self._vocabulary.mask_id, *part)]

    def _candidates(self, ids, probabilities):
        return tuple(Candidate(self._vocabulary.pieces[token_id], float(probability))
                     for token_id, probability in zip(ids, probabilities, strict=True))


class ReplacedWordFinder:
    """Says of every word how likely it is that somebody put it in the place of another.

    Args:
        folder: model folder of kind "discriminator".
        sequence_length: longest input in pieces.
        engine, precision: as for Predictor.

    Attributes:
        engine: Engine.

    >>> find = ReplacedWordFinder("runs/small/discriminator", sequence_length=128, engine="auto", precision="float32")
    >>> find(["the chef ate the meal"])[0].words[2].probability   # 0.87
    """

    def __init__(self, folder, *, sequence_length, engine, precision):
        choose_engine(engine, precision)  # before the work of loading
        discriminator = ElectraDiscriminator.from_preset(folder)
        self._vocabulary, self._tokenizer = discriminator.vocabulary, Tokenizer(discriminator.vocabulary)
        self._length = min(sequence_length, discriminator.config.max_positions)

        def outputs(*features):
            return {"probabilities": tf.sigmoid(discriminator(*features))}
        self._judge, self.engine = start_engine(
            outputs, discriminator.weights, engine=engine, precision=precision, difference=largest_answer_difference,
            samples=[self._features([self._tokenizer.ids(text) for text in texts])
                     for texts in (SAMPLE_TEXTS, SAMPLE_TEXTS[:1])])

    def __call__(self, texts):
        """List of JudgedWords for texts."""
        return [answer for batch in _batches(texts) for answer in self._judge_batch(batch)]

    def _judge_batch(self, texts):
        rows = [self._tokenizer(text) for text in texts]
        outputs = self._judge(with_short_length(
            self._features([row.token_ids for row in rows]), lengths=self.engine.single_row_lengths,
            longest=self._length))
        probabilities = outputs["probabilities"][:, 1:]  # without [CLS]
        return [JudgedWords(_words(text, tokens, row[:self._length - 2]), len(tokens.pieces) > self._length - 2)
                for text, tokens, row in zip(texts, rows, probabilities, strict=True)]

    def _features(self, rows):
        encoded = rows_of_ids(rows, sequence_length=self._length, vocabulary=self._vocabulary)
        return encoded.batch(np.arange(len(rows)), batch_size=len(rows))


def _words(text, tokens, probabilities):
    """Pieces put together to words; a word is as suspicious as its worst piece."""
    words = []
    for piece, (start, end), probability in zip(tokens.pieces, tokens.offsets, probabilities, strict=False):
        if piece.startswith(CONTINUATION) and words:
            start, probability = words[-1].start, max(words.pop().probability, probability)
        words.append(JudgedWord(text[start:end], start, end, float(probability)))
    return tuple(words)


def _batches(texts):
    return [texts[start:start + _BATCH_SIZE] for start in range(0, len(texts), _BATCH_SIZE)]
