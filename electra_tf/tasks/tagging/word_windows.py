"""Sentences of words -> rows of pieces for a model, and what it says about pieces -> what it says about words.

A sentence that is longer than the model's input becomes several windows that overlap; each word is learnt and judged in
the one window where it has most context.
"""

import dataclasses

import numpy as np

from electra_tf.tasks.tagging.tagging_loss import NOT_ASKED
from electra_tf.tasks.text_batches import EncodedTexts


@dataclasses.dataclass(frozen=True)
class EncodedWords(EncodedTexts):
    """Windows over sentences, each a row, and where each word stands in them.

    Attributes:
        sentence_starts: int32 [sentences + 1]: words `sentence_starts[i]` to `sentence_starts[i + 1]` are sentence i.
        window_of_word: int32 [words]: the row with most context around a word; -1 for one without pieces.
        place_of_word: int32 [words]: its first piece in that row.
        pieces_of_word: int32 [words]: how many of its pieces stand there.
    """

    sentence_starts: np.ndarray
    window_of_word: np.ndarray
    place_of_word: np.ndarray
    pieces_of_word: np.ndarray

    @property
    def is_empty_word(self):
        """bool [words]: nothing is left of the word once the text is cleaned."""
        return self.window_of_word < 0

    def by_sentence(self, values):
        """An array [words, ...] as a list of one array for each sentence."""
        return np.split(values, self.sentence_starts[1:-1]) if len(self.sentence_starts) > 1 else []


def word_windows(num_pieces, *, room, overlap):
    """Cuts a sentence into windows of whole words.

    Args:
        num_pieces: list of int, the pieces of each word; a word longer than `room` fills a window by itself.
        room: most pieces in a window.
        overlap: most pieces that a window repeats of the one before.

    Returns:
        List of (first word, end), at least one; every word is in one or more.

    >>> word_windows([1, 1, 2, 1, 1], room=4, overlap=2)   # [(0, 3), (2, 5)]
    """
    windows, first = [], 0
    while True:
        end, used = first, 0
        while end < len(num_pieces) and (used + num_pieces[end] <= room or end == first):
            used, end = used + num_pieces[end], end + 1
        windows.append((first, end))
        if end == len(num_pieces):
            return windows
        # Room must be left for the next word, else the next window would hold nothing new.
        shared, most = 0, min(overlap, room - num_pieces[end])
        first, before = end, first
        while first - 1 > before and shared + num_pieces[first - 1] <= most:
            first, shared = first - 1, shared + num_pieces[first - 1]


def encode_sentences(sentences, tokenizer, *, sequence_length, stride=None, segment_id=0):
    """Tokenizes words and packs their pieces as [CLS] words [SEP], in windows where they do not fit into one row.

    Args:
        sentences: list of lists of str.
        tokenizer: Tokenizer.
        sequence_length: most pieces in a row, with the two special ones.
        stride: pieces from the start of a window to the start of the next; None for half a window.
        segment_id: segment of all pieces: 0, or 1 as in the original's tagging.

    Returns:
        EncodedWords.

    >>> encode_sentences([["Unwanted", "!"]], tokenizer, sequence_length=8).place_of_word   # [1, 4]
    """
    room = sequence_length - 2
    overlap = max(0, room - (stride or -(-room // 2)))
    rows, words = [], []
    for sentence in sentences:
        pieces = [tokenizer.ids(word)[:room] for word in sentence]
        num_pieces = [len(ids) for ids in pieces]
        windows = word_windows(num_pieces, room=room, overlap=overlap)
        words += _places(num_pieces, windows, first_row=len(rows))
        rows += [[token_id for ids in pieces[first:end] for token_id in ids] for first, end in windows]
    places = np.array(words, np.int32).reshape(-1, 3)
    return EncodedWords(*_packed(rows, tokenizer.vocabulary, segment_id),
                        np.cumsum([0, *map(len, sentences)], dtype=np.int32), *places.T.copy())


def _places(num_pieces, windows, *, first_row):
    """(row, place, pieces) of each word, in the first window in which the shorter of its two sides is longest."""
    found = [(-1, 0, 0)] * len(num_pieces)
    contexts = [-1] * len(num_pieces)
    for row, (first, end) in enumerate(windows, start=first_row):
        left, right = 0, sum(num_pieces[first:end])
        for word in range(first, end):
            right -= num_pieces[word]
            if num_pieces[word] and min(left, right) > contexts[word]:
                contexts[word] = min(left, right)
                found[word] = (row, left + 1, num_pieces[word])
            left += num_pieces[word]
    return found


def _packed(rows, vocabulary, segment_id):
    """token_ids, segment_ids int32 [rows, longest], and lengths int32 [rows]."""
    lengths = np.array([len(row) + 2 for row in rows], np.int32)
    token_ids = np.full([len(rows), int(lengths.max(initial=1))], vocabulary.pad_id, np.int32)
    for number, row in enumerate(rows):
        token_ids[number, :len(row) + 2] = [vocabulary.cls_id, *row, vocabulary.sep_id]
    is_piece = np.arange(token_ids.shape[1]) < lengths[:, None]
    return token_ids, np.where(is_piece, segment_id, 0).astype(np.int32), lengths


def piece_labels(encoded, label_numbers, *, label_pieces="first"):
    """The label of each piece: every word is asked for once, in its best window.

    Args:
        encoded: EncodedWords.
        label_numbers: int32 [words].
        label_pieces: "first" asks only the first piece of a word, "all" each of its pieces.

    Returns:
        int32 [windows, longest], NOT_ASKED elsewhere.
    """
    labels = np.full(encoded.token_ids.shape, NOT_ASKED, np.int32)
    for rows, places, words in _asked_places(encoded, label_pieces):
        labels[rows, places] = label_numbers[words]
    return labels


def word_means(encoded, values, *, label_pieces="first"):
    """What each piece says -> what each word says: the mean over the pieces that are asked.

    Args:
        encoded: EncodedWords.
        values: float [windows, longest, ...].
        label_pieces: as for `piece_labels`.

    Returns:
        float [words, ...], zeros for a word without pieces.
    """
    sums = np.zeros([len(encoded.window_of_word), *values.shape[2:]], np.float32)
    counts = np.zeros(len(sums), np.int32)
    for rows, places, words in _asked_places(encoded, label_pieces):
        sums[words] += values[rows, places]
        counts[words] += 1
    return sums / np.maximum(counts, 1).reshape(-1, *[1] * (sums.ndim - 1))


def _asked_places(encoded, label_pieces):
    """Yields (rows, places, words), int arrays of equal length, for the first piece of all words, the second, ..."""
    most = int(encoded.pieces_of_word.max(initial=0)) if label_pieces == "all" else 1
    for number in range(most):
        words = np.flatnonzero(encoded.pieces_of_word > number)
        yield encoded.window_of_word[words], encoded.place_of_word[words] + number, words
