"""The way from texts to the tags of their words, whatever computes the network in the middle."""

import numpy as np

from electra_tf.errors import InputError
from electra_tf.tasks.tagging.tag_decoding import TagDecoder
from electra_tf.tasks.tagging.tagged_text import split_texts, tagged_text
from electra_tf.tasks.tagging.word_windows import encode_sentences, word_means

# Log-probability of the tags that a word without pieces cannot have; finite, so that some sequence is always possible.
_IMPOSSIBLE = -1e6


class TextTagger:
    """Words and windows of texts before the network, well-formed tags and spans after it.

    Args:
        tokenizer: Tokenizer; None for a tagger that only sees token ids.
        sequence_length: pieces of the longest input.
        labels, scheme, label_pieces, stride, segment_id, empty_word_tag: as for ElectraTokenClassifier, all known.

    >>> encoded = tagger.encode(sources := tagger.split(["in Paris"]))
    >>> tagger.tagged(sources, tagger.tags(encoded, log_probabilities_of(encoded)))[0].spans
    """

    def __init__(self, tokenizer, *, sequence_length, labels, scheme, label_pieces, stride, segment_id,
                 empty_word_tag):
        self.tokenizer, self.sequence_length = tokenizer, sequence_length
        self.labels, self.scheme, self.label_pieces = tuple(labels), scheme, label_pieces
        self.stride, self.segment_id, self.empty_word_tag = stride, segment_id, empty_word_tag
        self._decode = TagDecoder(self.labels, scheme)

    def split(self, texts):
        """List of WordsOfText; see `split_texts`."""
        if self.tokenizer is None:
            raise InputError("this model has no vocabulary; give it token ids in a tf.data.Dataset.")
        return split_texts(texts, self.tokenizer.vocabulary.settings)

    def encode(self, sources):
        """EncodedWords of a list of WordsOfText."""
        return encode_sentences(
            [source.words for source in sources], self.tokenizer, segment_id=self.segment_id, stride=self.stride,
            sequence_length=self.sequence_length)

    def word_scores(self, encoded, values):
        """Log-probabilities of the tags of words; a word without pieces has `empty_word_tag` for certain.

        Args:
            encoded: EncodedWords.
            values: float32 [windows, longest, labels], log-probabilities of the tags of pieces.

        Returns:
            List of float32 [words, labels], one for each sentence.
        """
        scores = word_means(encoded, values, label_pieces=self.label_pieces)
        scores[encoded.is_empty_word] = np.where(np.array(self.labels) == self.empty_word_tag, 0, _IMPOSSIBLE)
        return encoded.by_sentence(scores)

    def tags(self, encoded, scores):
        """The likeliest well-formed tags.

        Args:
            encoded: EncodedWords.
            scores: what `word_scores` returns.

        Returns:
            List of (tags, their probabilities) for each sentence; the probability of a word without pieces is None.
        """
        answers = []
        for rows, is_empty in zip(scores, encoded.by_sentence(encoded.is_empty_word), strict=True):
            numbers = self._decode(rows)
            probabilities = np.exp(rows[np.arange(len(rows)), numbers])
            answers.append(([self.labels[number] for number in numbers],
                            [None if empty else float(value) for value, empty in zip(probabilities, is_empty)]))
        return answers

    def tagged(self, sources, answers):
        """List of TaggedText, from WordsOfText and what `tags` returns."""
        return [tagged_text(source, tags, probabilities, scheme=self.scheme)
                for source, (tags, probabilities) in zip(sources, answers, strict=True)]
