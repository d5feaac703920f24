"""Tag schemes: how spans of words are written as one tag for each word, and read back."""

import collections
import re
import typing

from electra_tf.errors import InputError

SPAN_SCHEMES = ("IOB1", "IOB2", "BIOES")
PLAIN = "plain"
SCHEMES = (*SPAN_SCHEMES, PLAIN)
OUTSIDE = "O"

_PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES"}
_SPAN_TAG = re.compile(r"[BIES]-.+")
_BILOU_TAG = re.compile(r"[BILU]-.+")
_BMES_TAG = re.compile(r"[BMES]-.+")
PREFIXES_ALONE = frozenset("BIESM")
_NO_TYPE = "_"


class Span(typing.NamedTuple):
    """Words `start` to `end` (exclusive) of one type."""

    type: str
    start: int
    end: int


def split_tag(tag):
    """Prefix and type of a tag, as seqeval reads them: a tag without a type has the type "_".

    >>> split_tag("B-PER")   # ('B', 'PER')
    """
    return tag[:1], tag[1:].split("-", 1)[-1] or _NO_TYPE


def spans_of(tags):
    """The spans that tags of any scheme mean, read as conlleval does: an I- after O or after another type begins one.

    Args:
        tags: list of str, one sentence.

    Returns:
        List of Span, in order; equal to seqeval's default mode.

    >>> spans_of(["B-PER", "I-PER", "O", "I-LOC"])   # [Span('PER', 0, 2), Span('LOC', 3, 4)]
    """
    spans, start, previous, previous_type = [], 0, OUTSIDE, None
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, span_type = split_tag(tag)
        is_other = span_type != previous_type
        if (previous in "ES" or previous in "BI" and prefix in "BSO" or previous != OUTSIDE and is_other):
            spans.append(Span(previous_type, start, place))
        if prefix in "BS" or prefix in "IE" and previous in "ESO" or prefix != OUTSIDE and is_other:
            start = place
        previous, previous_type = prefix, span_type
    return spans


def strict_spans_of(tags, scheme):
    """The spans that tags mean where all that the scheme does not allow means nothing; equal to seqeval's strict mode.

    Args:
        tags: list of str, one sentence.
        scheme: "IOB1", "IOB2" or "BIOES".

    Returns:
        List of Span, in order.

    Raises:
        InputError: a prefix that the scheme does not have.

    >>> strict_spans_of(["B-PER", "I-PER", "O", "I-LOC"], "IOB2")   # [Span('PER', 0, 2)]
    """
    known = _PREFIXES[scheme] + OUTSIDE
    parts = [split_tag(tag) for tag in tags] + [(OUTSIDE, _NO_TYPE)]
    for place, (prefix, _) in enumerate(parts):
        if prefix not in known:
            raise InputError(f"tag {tags[place]!r} is not of the scheme {scheme}, whose prefixes are "
                             f"{', '.join(known)}.")
    spans, place = [], 0
    while place < len(tags):
        prefix, span_type = parts[place]
        before = parts[place - 1] if place else (OUTSIDE, _NO_TYPE)
        if not _begins(before, parts[place], scheme):
            place += 1
            continue
        end = place + 1
        while prefix != "S" and parts[end] == ("I", span_type):
            end += 1
        is_whole = True
        if scheme == "BIOES" and prefix == "B":
            is_whole = parts[end] == ("E", span_type)
            end += is_whole
        elif scheme == "IOB1" and parts[end - 1][0] == "B":
            # seqeval takes a lone B- back where a B- of another type follows.
            is_whole = parts[end][0] != "B" or parts[end][1] == span_type
        if is_whole:
            spans.append(Span(span_type, place, end))
        place = end
    return spans


def _begins(before, tag, scheme):
    """Whether a tag begins a span, outside of one that was already begun."""
    prefix, span_type = tag
    if scheme != "IOB1":
        return prefix in "BS"
    if prefix == "B":  # only where it parts two touching spans of one type
        return before[0] in "BI" and before[1] == span_type
    return prefix == "I" and before != ("I", span_type)


def tags_of(spans, length, scheme):
    """The tags of a sentence.

    Args:
        spans: iterable of Span that do not overlap.
        length: words in the sentence.
        scheme: "IOB1", "IOB2" or "BIOES".

    Returns:
        List of str.

    Raises:
        InputError: spans that overlap or leave the sentence.

    >>> tags_of([Span("PER", 0, 2), Span("LOC", 3, 4)], 4, "BIOES")   # ['B-PER', 'E-PER', 'O', 'S-LOC']
    """
    tags, before = [OUTSIDE] * length, None
    for span in sorted(spans, key=lambda span: span.start):
        if not (before.end if before else 0) <= span.start < span.end <= length:
            raise InputError(f"span {tuple(span)} overlaps another or leaves its sentence of {length} words; give "
                             f"spans side by side.")
        touches_its_like = before is not None and before.end == span.start and before.type == span.type
        tags[span.start:span.end] = _tags_of_one(span, scheme, touches_its_like)
        before = span
    return tags


def _tags_of_one(span, scheme, touches_its_like):
    length = span.end - span.start
    prefixes = ["I"] * length
    if scheme != "IOB1" or touches_its_like:
        prefixes[0] = "B"
    if scheme == "BIOES":
        prefixes[-1] = "E" if length > 1 else "S"
    return [f"{prefix}-{span.type}" for prefix in prefixes]


def is_of_scheme(tag, scheme):
    """Whether a tag is O, or a prefix of the scheme, a dash and a type.

    >>> is_of_scheme("S-PER", "IOB2")   # False
    """
    return tag == OUTSIDE or bool(_SPAN_TAG.fullmatch(tag)) and tag[0] in _PREFIXES[scheme]


def can_follow(before, tag, scheme):
    """Whether `tag` may stand after `before`; None is the start, or the end, of the sentence.

    >>> can_follow("O", "I-PER", "IOB2"), can_follow("I-PER", None, "BIOES")   # (False, False)
    """
    if scheme == PLAIN:
        return True
    prefix, span_type = (OUTSIDE, None) if tag in (None, OUTSIDE) else split_tag(tag)
    left, left_type = (OUTSIDE, None) if before in (None, OUTSIDE) else split_tag(before)
    goes_on = left in "BI" and left_type == span_type
    if scheme == "IOB1":
        return prefix != "B" or goes_on
    if scheme == "IOB2":
        return prefix != "I" or goes_on
    return goes_on if prefix in "IE" else left not in "BI"


def misplaced_tags(tags, scheme):
    """The places of a sentence whose tag may not follow the one before; the length of it where the last may not end it.

    >>> misplaced_tags(["O", "I-PER", "I-PER"], "IOB2")   # [1]
    """
    return [place for place, (before, tag) in enumerate(zip([None, *tags], [*tags, None], strict=True))
            if not can_follow(before, tag, scheme)]


def labels_of(types, scheme):
    """All tags for the types of spans, in the order in which a model numbers them.

    >>> labels_of(["PER", "LOC"], "IOB2")   # ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    return (OUTSIDE, *(f"{prefix}-{span_type}" for span_type in sorted(types) for prefix in _PREFIXES[scheme]))


def scheme_of(sentences):
    """The scheme in which a file's tags are written: the one that they break least.

    Args:
        sentences: list of lists of str.

    Returns:
        "plain" where not all tags are O or a prefix, a dash and a type; else "BIOES" where S- or E- occur; else "IOB2"
        or "IOB1".

    Raises:
        InputError: tags of the scheme BILOU.

    >>> scheme_of([["O", "I-PER", "I-PER", "B-PER"]])   # 'IOB1'
    """
    guess = scheme_of_labels(set().union(*sentences))
    if guess not in ("IOB1", "IOB2"):
        return guess
    return min(("IOB2", "IOB1"), key=lambda scheme: sum(len(misplaced_tags(tags, scheme)) for tags in sentences))


def from_bmes(sentences):
    """Tags of the scheme BMES, usual in Chinese, as BIOES: M- is its I-. All others as they are.

    Args:
        sentences: list of lists of str.

    Returns:
        List of lists of str.

    >>> from_bmes([["B-ORG", "M-ORG", "E-ORG"]])   # [['B-ORG', 'I-ORG', 'E-ORG']]
    """
    tags = set().union(*sentences) - {OUTSIDE}
    if not all(map(_BMES_TAG.fullmatch, tags)) or not any(tag[0] == "M" for tag in tags):
        return sentences
    return [["I" + tag[1:] if tag[0] == "M" else tag for tag in sentence] for sentence in sentences]


def odd_tag(sentences):
    """The first tag of a file that can be none of spans, though the file seems to hold spans.

    Args:
        sentences: list of lists of str.

    Returns:
        (sentence, word) of the first tag that is neither O nor a prefix, a dash and a type where more words have one of
        these, or of the first prefix where no tag has a type. None where all is well, or tags stand for themselves.

    >>> odd_tag([["O", "B-PER", "0"]])   # (0, 2)
    """
    counts = collections.Counter(tag for sentence in sentences for tag in sentence)
    has_bmes = any(tag.startswith("M-") for tag in counts) and not any(tag.startswith("I-") for tag in counts)
    pattern = _BMES_TAG if has_bmes else _SPAN_TAG
    odd = {tag for tag in counts if tag != OUTSIDE and not pattern.fullmatch(tag)}
    has_spans = bool(counts.keys() - odd - {OUTSIDE}) and counts.total() > 2 * sum(counts[tag] for tag in odd)
    if not has_spans and not counts.keys() <= PREFIXES_ALONE | {OUTSIDE}:
        return None
    return next(((place, word) for place, sentence in enumerate(sentences) for word, tag in enumerate(sentence)
                 if tag in odd), None)


def scheme_of_labels(labels):
    """The scheme that a model's labels belong to; IOB1 where a type has I- without B-.

    >>> scheme_of_labels(["O", "B-PER", "I-PER", "E-PER", "S-PER"])   # 'BIOES'
    """
    tags = set(labels) - {OUTSIDE}
    if not tags or not all(map(_SPAN_TAG.fullmatch, tags)):
        if tags and all(map(_BILOU_TAG.fullmatch, tags)):
            raise InputError("the tags are written in the scheme BILOU; write S- for U- and E- for L-.")
        return PLAIN
    if any(tag[0] in "ES" for tag in tags):
        return "BIOES"
    return "IOB1" if any("B" + tag[1:] not in tags for tag in tags) else "IOB2"
