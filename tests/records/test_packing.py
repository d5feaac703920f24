"""Packing rules against the original's own rows, plain re-statements of the rules, and counting."""

import json
import random

import numpy as np
import pytest

from electra_tf.records.packing import (
    Segments,
    join_rows,
    lay_out,
    pack_carry_over,
    pack_full_sequence,
    pack_original,
    share_rows,
)
from tests.oracles.shared import shared_path
from tests.records.segments_of_tokens import flat, lengths_of, to_spans, to_tokens

CLS, SEP, PAD = 101, 102, 0
ORIGINAL_SETTINGS = ["L64_blanks_seed1", "L64_noblanks_seed2", "L128_blanks_seed3", "L128_noblanks_seed4",
                     "L32_blanks_seed5", "L512_blanks_seed6", "L64_blanks_seed11", "L64_blanks_seed12",
                     "L64_blanks_seed13", "L128_blanks_seed14"]


class Dice:
    """A `random.Random` whose throws are given."""

    def __init__(self, throws, number=None):
        self.throws, self.number = list(throws), number

    def random(self):
        return self.throws.pop(0)

    def randint(self, low, high):
        assert low <= self.number <= high
        return self.number


def numbered_documents(seed, *, count=23, lines=12, tokens=40):
    """Documents whose tokens are 1000, 1001, ... in order, each document beginning at a multiple of 100,000."""
    choices = random.Random(seed)
    documents = []
    for number in range(count):
        token = 100_000 * (number + 1)
        document = []
        for _ in range(choices.randint(0, lines)):
            length = choices.randint(0, tokens)
            document.append(list(range(token, token + length)))
            token += length
        documents.append(document)
    return documents


def joined(rows):
    return [token for row in rows for token in row.first + row.second]


def carry_over(documents, **settings):
    """`pack_carry_over` from tokens to tokens."""
    return to_tokens(flat(documents), pack_carry_over(lengths_of(documents), **settings))


def original(documents, **settings):
    """`pack_original` from tokens to tokens."""
    return to_tokens(flat(documents), pack_original(lengths_of(documents), **settings))


def full_sequence(documents, **settings):
    """`pack_full_sequence` from tokens to tokens."""
    return to_tokens(*pack_full_sequence(np.array(flat(documents), np.int32), lengths_of(documents), **settings))


def original_lines():
    """Token ids of each line of the original's test text, and whether it is blank."""
    text = shared_path("oracles/original/builder_text.txt").read_text(encoding="utf-8").split("\n")
    stored = np.load(shared_path("oracles/original/builder_records.npz"))
    ends = np.cumsum(stored["lines/lengths"])
    lines = [ids.tolist() for ids in np.split(stored["lines/flat_ids"], ends[:-1])]
    assert len(lines) == len(text)
    return [(ids, not line.strip()) for ids, line in zip(lines, text, strict=True)]


@pytest.mark.parametrize("name", ORIGINAL_SETTINGS)
def test_original_packing_gives_the_rows_of_the_original(name):
    settings = {entry["name"]: entry for entry in json.loads(
        shared_path("oracles/original/builder.json").read_text())["configs"]}
    assert sorted(settings) == sorted(ORIGINAL_SETTINGS)
    length = settings[name]["max_seq_length"]
    documents = [[]]
    for ids, is_blank in original_lines():
        if not is_blank:
            documents[-1].append(ids)
        elif settings[name]["blanks_separate_docs"]:
            documents.append([])
    rows = pack_original(lengths_of(documents), sequence_length=length, random=random.Random(settings[name]["seed"]))
    token_ids, segment_ids = lay_out(np.array(flat(documents)), rows, sequence_length=length, cls_id=CLS, sep_id=SEP,
                                     pad_id=PAD)
    expected = np.load(shared_path("oracles/original/builder_records.npz"))
    np.testing.assert_array_equal(token_ids, expected[f"{name}/input_ids"])
    np.testing.assert_array_equal(segment_ids, expected[f"{name}/segment_ids"])
    np.testing.assert_array_equal(token_ids != PAD, expected[f"{name}/input_mask"] == 1)


@pytest.mark.parametrize("length", [8, 13, 64, 128])
@pytest.mark.parametrize("tokens", [1, 6, 40, 900])
def test_carry_over_keeps_every_token_once_and_in_order(length, tokens):
    documents = numbered_documents(tokens, tokens=tokens)
    rows = carry_over(documents, sequence_length=length, random=random.Random(3))
    assert joined(rows) == flat(documents)
    assert all(row.first for row in rows)
    assert all(len(row.first) + len(row.second) + (3 if row.second else 2) <= length for row in rows)


def test_carry_over_rows_hold_one_document():
    rows = carry_over(numbered_documents(2), sequence_length=64, random=random.Random(3))
    assert {len({token // 100_000 for token in row.first + row.second}) for row in rows} == {1}


def test_carry_over_fills_the_row_unless_the_document_ends_or_the_target_is_short():
    rows = carry_over([[[token] for token in range(140_000)]], sequence_length=31, random=random.Random(4))[:-1]
    sizes = np.array([len(row.first) + len(row.second) + (3 if row.second else 2) for row in rows])
    # One token a line, so a row ends at its target: 5 % of the targets are drawn from 5..31, and 23 of these 27 end a
    # row of two segments early, 24 a row of one (10 %).
    assert np.mean(sizes < 31) == pytest.approx(0.05 * (0.9 * 23 + 0.1 * 24) / 27, abs=0.01)
    single = np.array([not row.second for row in rows])
    assert single.mean() == pytest.approx(0.1, abs=0.015)
    # The first segment of the others goes on to the limit of half a row.
    halves = [len(row.first) for row in rows if row.second and len(row.first) + len(row.second) == 28]
    assert np.mean(halves) == pytest.approx((31 - 3) // 2, abs=1)


def test_carry_over_takes_its_choices_as_the_rule_says():
    document = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12], [13]]
    # Row 1: full target; two segments, limit (12 - 3) // 2 = 4; line 2 would reach 6, the throw 0.6 sends it to the
    # second segment, which line 3 must follow; 9 tokens fit, line 4 waits. Row 2: one segment.
    dice = Dice([0.5, 0.5, 0.6] + [0.5, 0.05])
    assert carry_over([document], sequence_length=12, random=dice) == [
        Segments([1, 2, 3], [4, 5, 6, 7, 8, 9]), Segments([10, 11, 12, 13], [])]
    assert dice.throws == []
    # Throw 0.4 lets line 2 overflow into the first segment. A short target of 5 ends row 1 there.
    dice = Dice([0.04, 0.5, 0.4] + [0.5, 0.05], number=5)
    assert carry_over([document], sequence_length=12, random=dice)[0] == Segments([1, 2, 3], [4, 5, 6])


def test_carry_over_cuts_a_line_that_is_longer_than_the_row():
    rows = carry_over([[list(range(100))]], sequence_length=12, random=random.Random(0))
    assert [len(row.first) for row in rows] == [10] * 10
    assert joined(rows) == list(range(100))


def test_original_and_carry_over_agree_where_everything_fits():
    documents = [[[1, 2], [3, 4, 5], [6]], [[7, 8, 9]]]
    never_special = Dice([0.5] * 20)
    carried = carry_over(documents, sequence_length=16, random=never_special)
    assert carried == original(documents, sequence_length=16, random=Dice([0.5] * 20))
    assert joined(carried) == flat(documents)


def test_original_drops_what_overflows():
    rows = original([[list(range(100))]], sequence_length=12, random=random.Random(0))
    assert joined(rows) == list(range(10))


@pytest.mark.parametrize("length", [8, 21, 128])
def test_full_sequence_is_one_stream_cut_into_full_rows(length):
    documents = numbered_documents(6)
    assert [] in documents, "an empty document must not leave two separators"
    stream = []
    for lines in documents:
        text = [token for line in lines for token in line]
        stream += text + [SEP] if text else []
    stream = stream[:-1]
    rows = full_sequence(documents, sequence_length=length, sep_id=SEP)
    assert joined(rows) == stream
    assert {len(row.first) for row in rows[:-1]} == {length - 2}
    assert 0 < len(rows[-1].first) <= length - 2
    assert not any(row.second for row in rows)


@pytest.mark.parametrize("pack", [
    lambda documents: carry_over(documents, sequence_length=16, random=random.Random(0)),
    lambda documents: original(documents, sequence_length=16, random=random.Random(0)),
    lambda documents: full_sequence(documents, sequence_length=16, sep_id=SEP)])
@pytest.mark.parametrize("documents", [[], [[]], [[[]], [[], []]]])
def test_text_without_tokens_gives_no_row(pack, documents):
    assert pack(documents) == []


def test_rows_are_laid_out_with_special_tokens_segments_and_padding():
    rows = [Segments([5, 6], [7]), Segments([8], []), Segments([5, 6, 7], [8, 9])]
    token_ids, segment_ids = lay_out(*to_spans(rows), sequence_length=8, cls_id=2, sep_id=3, pad_id=1)
    np.testing.assert_array_equal(
        token_ids, [[2, 5, 6, 3, 7, 3, 1, 1], [2, 8, 3, 1, 1, 1, 1, 1], [2, 5, 6, 7, 3, 8, 9, 3]])
    np.testing.assert_array_equal(segment_ids, [[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8, [0, 0, 0, 0, 0, 1, 1, 1]])


def test_no_rows_are_laid_out_as_empty_arrays():
    token_ids, segment_ids = lay_out(*to_spans([]), sequence_length=8, cls_id=2, sep_id=3, pad_id=1)
    assert token_ids.shape == segment_ids.shape == (0, 8)


@pytest.mark.parametrize(("lengths", "expected"), [
    ([], []), ([9], [[0]]), ([9, 9], [[0], [1]]), ([4, 5], [[0, 1]]), ([5, 9, 3], [[0, 2], [1]]),
    # The 6 leaves room for 3, the 5 for 4: the 3 goes to the fuller row, though the 5's has room too.
    ([3, 5, 6], [[0, 2], [1]]), ([3, 3, 3, 3], [[0, 1, 2], [3]])])
def test_rows_are_shared_by_what_fits_best(lengths, expected):
    assert share_rows(lengths, sequence_length=9) == expected


@pytest.mark.parametrize(("length", "longest"), [(31, 31), (64, 20), (128, 90)])
def test_shared_rows_hold_every_row_once_and_waste_little(length, longest):
    choices = random.Random(longest)
    lengths = [choices.randint(3, longest) for _ in range(2000)]
    shared = share_rows(lengths, sequence_length=length)
    assert sorted(number for numbers in shared for number in numbers) == list(range(2000))
    filled = [sum(lengths[number] for number in numbers) for numbers in shared]
    assert max(filled) <= length
    # Best fit of the longest first never takes more than 11/9 of the fewest rows, and here far less.
    assert len(shared) <= 1.02 * sum(lengths) / length + 1
    # No row could have been emptied into another.
    emptiest = min(filled)
    assert sum(length - tokens >= emptiest for tokens in filled) <= 1


def test_joined_rows_stand_behind_each_other_whole():
    rows = carry_over(numbered_documents(9, tokens=9), sequence_length=40, random=random.Random(2))
    apart = lay_out(*to_spans(rows), sequence_length=40, cls_id=2, sep_id=3, pad_id=1)
    lengths = [len(row.first) + len(row.second) + (3 if row.second else 2) for row in rows]
    token_ids, segment_ids = join_rows(*apart, pad_id=1)
    for joined, numbers in enumerate(share_rows(lengths, sequence_length=40)):
        tokens, segments = [], []
        for number in numbers:
            first, second = rows[number]
            tokens += [2, *first, 3] + ([*second, 3] if second else [])
            segments += [0] * (len(first) + 2) + [1] * (len(second) + 1 if second else 0)
        assert token_ids[joined].tolist() == tokens + [1] * (40 - len(tokens))
        assert segment_ids[joined].tolist() == segments + [0] * (40 - len(tokens))
    assert len(token_ids) == joined + 1 < len(rows)


def test_no_rows_are_joined_as_empty_arrays():
    nothing = lay_out(*to_spans([]), sequence_length=8, cls_id=2, sep_id=3, pad_id=1)
    assert [values.shape for values in join_rows(*nothing, pad_id=1)] == [(0, 8), (0, 8)]
