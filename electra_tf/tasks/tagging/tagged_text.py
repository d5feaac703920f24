"""What a user gives to a tagger, texts or lists of words, and what comes back: tags of words and spans of the text."""

import dataclasses
import itertools
import re

from electra_tf.errors import InputError
from electra_tf.tasks.tagging.tag_schemes import PLAIN, spans_of
from electra_tf.text import characters
from electra_tf.text.basic_tokenizer import word_places

# Ideographs; kana and the punctuation beside them; punctuation, letters and digits as wide as an ideograph.
_WITHOUT_SPACES = re.compile("[{}]{{2}}".format(characters.python_class(
    (*characters.CJK, (0x3001, 0x30FF), (0xFF01, 0xFF60)))))


@dataclasses.dataclass(frozen=True)
class TaggedWord:
    """A word, text[start:end] of the user's string, its tag, and the probability that the model gives it.

    `probability` is None for a word of which nothing is left once the text is cleaned.
    """

    word: str
    start: int
    end: int
    tag: str
    probability: float | None


@dataclasses.dataclass(frozen=True)
class TaggedSpan:
    """A span, text[start:end] of the user's string; `probability` is the mean of those of its tags."""

    text: str
    start: int
    end: int
    type: str
    probability: float


@dataclasses.dataclass(frozen=True)
class TaggedText:
    """The answer for one text: every word, and the spans that the tags mean; None where tags stand for themselves."""

    words: tuple
    spans: tuple | None


@dataclasses.dataclass(frozen=True)
class WordsOfText:
    """A text and the places (start, end) of its words, in characters."""

    text: str
    places: list

    @property
    def words(self):
        """List of str."""
        return [self.text[start:end] for start, end in self.places]


def split_texts(texts, settings):
    """Finds the words of what a user gives.

    Args:
        texts: list of str, split into words as the tokenizer does it; or list of lists of words, whose text is the
            words with one space between two.
        settings: TextSettings of the model's vocabulary.

    Returns:
        List of WordsOfText.

    Raises:
        InputError: something else.

    >>> split_texts([["New", "York"], "New York!"], TextSettings())[1].words   # ['New', 'York', '!']
    """
    if isinstance(texts, str | bytes):
        raise InputError("texts is a single string; give a list of strings, or a list of lists of words.")
    return [_words_of(text, f"texts[{place}]", settings) for place, text in enumerate(texts)]


def _words_of(text, where, settings):
    if isinstance(text, str):
        return WordsOfText(text, word_places(text, settings))
    if isinstance(text, bytes) or not hasattr(text, "__iter__"):
        raise InputError(f"{where} is {text!r}; expected a string, or a list of words.")
    words = list(text)
    for number, word in enumerate(words):
        if not isinstance(word, str):
            raise InputError(f"{where}, word {number}, is {word!r}; expected a string.")
    return text_of_words(words)


def text_of_words(words, gaps=None):
    """WordsOfText of words, with what stands between two of them: list of str, None for one space each.

    >>> text_of_words(["in", "Paris"]).places   # [(0, 2), (3, 8)]
    """
    gaps = [*([" "] * (len(words) - 1) if gaps is None else gaps), ""][:len(words)]
    starts = itertools.accumulate((len(word) + len(gap) for word, gap in zip(words, gaps, strict=True)), initial=0)
    return WordsOfText("".join(itertools.chain(*zip(words, gaps, strict=True))),
                       [(start, start + len(word)) for word, start in zip(words, starts)])


def sentence_of_words(words, *, text=None, spaced=None):
    """The sentence that the words of a file come from, as it was written as far as that is known.

    Args:
        words: list of str.
        text: the sentence as it was written, which counts where the words stand in it with only white space between
            them; None if it is not known.
        spaced: list of bool: whether a space follows each word, where `text` does not tell. None says yes, but not
            between two characters of Chinese or Japanese.

    Returns:
        WordsOfText.

    >>> sentence_of_words(["I", "'m", "in"], text="I'm in").places   # [(0, 1), (1, 3), (4, 6)]
    """
    places = _places_in(text, words)
    if places:
        return WordsOfText(text, places)
    if spaced is None:
        spaced = [not _WITHOUT_SPACES.fullmatch(word[-1:] + after[:1]) for word, after in itertools.pairwise(words)]
    return text_of_words(words, [" " if space else "" for space in spaced[:len(words) - 1]])


def _places_in(text, words):
    """The places of words that follow each other in a text; None where they do not."""
    places, end = [], 0
    for word in words:
        start = -1 if text is None else text.find(word, end)
        if start < 0 or text[end:start].strip():
            return None
        end = start + len(word)
        places.append((start, end))
    return places


def tagged_text(source, tags, probabilities, *, scheme):
    """Puts tags on the words of a text.

    Args:
        source: WordsOfText.
        tags: list of str, one for each word.
        probabilities: list of float or None.
        scheme: "IOB1", "IOB2", "BIOES" or "plain".

    Returns:
        TaggedText.

    >>> tagged_text(WordsOfText("in Paris", [(0, 2), (3, 8)]), ["O", "B-LOC"], [0.9, 0.8], scheme="IOB2").spans
    """
    words = tuple(TaggedWord(source.text[start:end], start, end, tag, probability)
                  for (start, end), tag, probability in zip(source.places, tags, probabilities, strict=True))
    if scheme == PLAIN:
        return TaggedText(words, None)
    return TaggedText(words, tuple(_tagged_span(span, words[span.start:span.end], source.text)
                                   for span in spans_of(tags)))


def _tagged_span(span, words, text):
    start, end = words[0].start, words[-1].end
    known = [word.probability for word in words if word.probability is not None]
    return TaggedSpan(text[start:end], start, end, span.type, sum(known) / max(1, len(known)))
