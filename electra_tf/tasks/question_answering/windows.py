"""Questions on texts of any length -> rows that fit the model: [CLS] question [SEP] window of the context [SEP]."""

import dataclasses

import numpy as np

from electra_tf.tasks.text_batches import EncodedTexts

_SPECIAL_PIECES = 3  # [CLS] and two [SEP]
# As in the original: prefers the longer of two windows in which a piece lies equally well.
_LENGTH_BONUS = 0.01


@dataclasses.dataclass(frozen=True)
class Context:
    """A text and where its pieces stand: `offsets` int [pieces, 2], first character and the one after the last."""

    text: str
    offsets: np.ndarray


@dataclasses.dataclass(frozen=True)
class EncodedWindows(EncodedTexts):
    """Questions on windows of their contexts, one in a row; the rows of a question follow each other.

    Attributes:
        questions: int32 [windows], the question of each row.
        first_places: int32 [windows], where the context begins in the row.
        first_pieces: int32 [windows], the piece of the context that stands there.
        is_best_window: bool [windows, longest], whether a piece of the context has in this window as much context as in
            none before or after (the original's "max context"); False elsewhere.
        contexts: list of Context, one for each question.
    """

    questions: np.ndarray
    first_places: np.ndarray
    first_pieces: np.ndarray
    is_best_window: np.ndarray
    contexts: list

    def rows_of(self, question):
        """The rows of one question, as a slice."""
        return slice(*np.searchsorted(self.questions, [question, question + 1]))


def window_starts(num_pieces, room, stride):
    """Where windows over a text begin.

    Args:
        num_pieces: pieces of the text.
        room: pieces of the longest window.
        stride: from the start of one window to the start of the next; windows never leave a gap.

    Returns:
        List of int; the last window is the first that reaches the end. A text without pieces has one empty window.

    >>> window_starts(10, room=6, stride=3)   # [0, 3, 6]
    """
    starts = [0]
    while starts[-1] + room < num_pieces:
        starts.append(starts[-1] + min(room, stride))
    return starts


def best_windows(starts, lengths, num_pieces):
    """The window in which each piece has the most context to its poorer side; the first of equal ones.

    Args:
        starts, lengths: int [windows].
        num_pieces: pieces of the text.

    Returns:
        int [num_pieces].

    >>> best_windows([0, 3], [6, 5], 8)   # [0, 0, 0, 0, 1, 1, 1, 1]
    """
    starts, lengths = np.asarray(starts)[:, None], np.asarray(lengths)[:, None]  # [windows, 1]
    left = np.arange(num_pieces)[None] - starts
    right = lengths - 1 - left
    scores = np.minimum(left, right) + _LENGTH_BONUS * lengths
    return np.where((left >= 0) & (right >= 0), scores, -np.inf).argmax(axis=0)


def encode_windows(tokenizer, questions, contexts, *, sequence_length, max_question_length, stride):
    """Tokenizes questions and contexts and lays windows over the long ones.

    Args:
        tokenizer: Tokenizer.
        questions, contexts: lists of str, equally many. Equal contexts are tokenized once.
        sequence_length: pieces of a row at most.
        max_question_length: pieces of a question at most, or what leaves room for one piece of the context.
        stride: see `window_starts`.

    Returns:
        EncodedWindows; a question on an empty context has one row.

    >>> encode_windows(tokenizer, ["Who?"], [a_long_text], sequence_length=384, max_question_length=64,
    ...                stride=128).questions   # [0, 0, 0]
    """
    vocabulary = tokenizer.vocabulary
    max_question_length = min(max_question_length, sequence_length - _SPECIAL_PIECES - 1)
    known, rows = {}, []
    for number, (question, text) in enumerate(zip(questions, contexts, strict=True)):
        if text not in known:
            tokens = tokenizer(text)
            known[text] = (np.array(tokens.token_ids, np.int32),
                           Context(text, np.array(tokens.offsets, np.int32).reshape(-1, 2)))
        ids, _ = known[text]
        question_ids = tokenizer.ids(question)[:max_question_length]
        room = sequence_length - len(question_ids) - _SPECIAL_PIECES
        starts = window_starts(len(ids), room, stride)
        lengths = [min(room, len(ids) - start) for start in starts]
        best = best_windows(starts, lengths, len(ids))
        front = np.array([vocabulary.cls_id, *question_ids, vocabulary.sep_id], np.int32)
        rows += [(number, front, start, ids[start:start + length], best[start:start + length] == window)
                 for window, (start, length) in enumerate(zip(starts, lengths, strict=True))]
    return _packed(rows, [known[text][1] for text in contexts], sep_id=vocabulary.sep_id)


def _packed(rows, contexts, *, sep_id):
    lengths = np.array([len(front) + len(ids) + 1 for _, front, _, ids, _ in rows], np.int32)
    shape = len(rows), int(lengths.max(initial=1))
    token_ids, segment_ids, is_best = np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, bool)
    for row, (_, front, _, ids, best) in enumerate(rows):
        end = len(front) + len(ids)
        token_ids[row, :len(front)], token_ids[row, len(front):end], token_ids[row, end] = front, ids, sep_id
        segment_ids[row, len(front):end + 1] = 1
        is_best[row, len(front):end] = best

    def numbers(values):
        return np.fromiter(values, np.int32, len(rows))
    return EncodedWindows(
        token_ids, segment_ids, lengths, questions=numbers(row[0] for row in rows),
        first_places=numbers(len(row[1]) for row in rows), first_pieces=numbers(row[2] for row in rows),
        is_best_window=is_best, contexts=contexts)


def pieces_of(context, start, end):
    """The pieces that an answer touches.

    Args:
        context: Context.
        start, end: the answer's first character and the one after its last.

    Returns:
        (first, last), or None where no piece was made from these characters (white space alone).

    >>> pieces_of(Context("Unwanted!", np.array([[0, 2], [2, 6], [6, 8], [8, 9]])), 2, 8)   # (1, 2)
    """
    touched = np.flatnonzero((context.offsets[:, 0] < end) & (context.offsets[:, 1] > start))
    return (int(touched[0]), int(touched[-1])) if len(touched) else None


def window_labels(windows, spans, *, is_impossible, answerless_windows="as_question"):
    """What each row teaches.

    Args:
        windows: EncodedWindows.
        spans: for each question (first piece, last piece) of its answer in the context, or None without one.
        is_impossible: bool [questions]. A question that has an answer, but no span, teaches nothing.
        answerless_windows: what the rows without the whole answer say of a question that has one: "as_question" (the
            original), there is an answer; "impossible", there is none.

    Returns:
        Dict of int32 [windows]: "start" and "end", places in the row, 0 where the row does not hold the whole answer,
        -1 where the question teaches nothing; "impossible", 0 or 1.

    >>> window_labels(windows, [(5, 6)], is_impossible=[False])["start"]   # [9, 0]
    """
    is_impossible = np.asarray(is_impossible, bool)
    has_span = np.array([span is not None for span in spans], bool)
    ends = np.array([span or (0, 0) for span in spans], np.int32).reshape(-1, 2)[windows.questions]  # [windows, 2]
    places = ends - windows.first_pieces[:, None] + windows.first_places[:, None]
    is_inside = ((places[:, 0] >= windows.first_places) & (places[:, 1] < windows.lengths - 1)
                 & has_span[windows.questions])
    places = np.where(is_inside[:, None], places, 0)
    impossible = is_impossible[windows.questions]
    if answerless_windows == "impossible":
        impossible = impossible | ~is_inside
    teaches = (has_span | is_impossible)[windows.questions]
    places = np.where(teaches[:, None], places, -1)
    return {"start": places[:, 0].astype(np.int32), "end": places[:, 1].astype(np.int32),
            "impossible": impossible.astype(np.int32)}
