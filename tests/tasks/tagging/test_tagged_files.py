"""Tagged files: every word with its tag, whatever the layout; what does not fit is named by file and line."""

import gzip
import json
import lzma
import re

import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.tagging.tag_schemes import spans_of
from electra_tf.tasks.tagging.tagged_files import read_tagged_sentences
from electra_tf.text.tokenizer import Tokenizer
from tests.oracles.shared import shared_path
from tests.tasks.tiny import tiny_vocabulary

CONLL = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER
"""


def write(tmp_path, content, name="a.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def read(path, **settings):
    rows = read_tagged_sentences(path, **settings)
    return rows.words, rows.tags


def test_columns_between_spaces(tmp_path):
    rows = read_tagged_sentences(write(tmp_path, CONLL), token_column=0, tag_column=3)
    assert rows.words == [["EU", "rejects"], ["Peter", "Blackburn"]]
    assert rows.tags == [["I-ORG", "O"], ["I-PER", "I-PER"]] and rows.scheme == "IOB1" and rows.told == ()
    assert rows.lines == [[3, 4], [6, 7]] and len(rows) == 2


def test_columns_are_counted_from_either_end(tmp_path):
    path = write(tmp_path, CONLL)
    assert read(path) == read(path, token_column=0, tag_column=3) == read(path, token_column=-4, tag_column=-1)
    assert read(path, tag_column=1)[1] == [["NNP", "VBZ"], ["NNP", "NNP"]]
    assert read_tagged_sentences(path, tag_column=1).scheme == "plain"


@pytest.mark.parametrize("form", ["CRLF", "gz", "xz", "tabs", "spaces and tabs", "many spaces", "byte-order mark",
                                  "no line end", "spaces in empty lines", "spaces at both ends"])
def test_the_same_sentences_in_every_wrapping(tmp_path, form):
    content = {"CRLF": CONLL.replace("\n", "\r\n"), "tabs": CONLL.replace(" ", "\t"),
               "spaces and tabs": CONLL.replace(" ", " \t  "), "many spaces": CONLL.replace(" ", "   "),
               "byte-order mark": "\ufeff" + CONLL, "no line end": CONLL[:-1],
               "spaces in empty lines": CONLL.replace("\n\n", "\n \t\n\n"),
               "spaces at both ends": "\n".join(line and f" {line} " for line in CONLL.split("\n"))}.get(form, CONLL)
    data = content.encode("utf-8")
    path = write(tmp_path, {"gz": gzip.compress, "xz": lzma.compress}.get(form, bytes)(data),
                 f"a.txt.{form}" if form in ("gz", "xz") else "a.txt")
    assert read(path) == ([["EU", "rejects"], ["Peter", "Blackburn"]], [["I-ORG", "O"], ["I-PER", "I-PER"]])


def test_a_word_may_hold_a_space_where_tabs_part_the_columns(tmp_path):
    assert read(write(tmp_path, "New York\tB-LOC\n\u3000\tO\n")) == ([["New York", "\u3000"]], [["B-LOC", "O"]])


def test_a_document_start_ends_a_sentence(tmp_path):
    assert read(write(tmp_path, "a O\n-DOCSTART- O\nb O\nc B-X"))[0] == [["a"], ["b", "c"]]


def test_the_last_character_of_each_token_is_dropped_where_asked(tmp_path):
    path = write(tmp_path, "科0\tO\n技1\tB-X\n")
    assert read(path, drop_last_character=True)[0] == [["科", "技"]] and read(path)[0] == [["科0", "技1"]]


CONLLU = """# sent_id = 1
# text = vámonos al mar
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\tV\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tP\t_\t1\tobj\t_\t_
3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_
3\ta\ta\tADP\tE\t_\t5\tcase\t_\t_
4\tel\tel\tDET\tD\t_\t5\tdet\t_\t_
5\tmar\tmar\tNOUN\tN\t_\t1\tobl\t_\t_
5.1\tes\tser\tVERB\tV\t_\t_\t_\t_\t_

# text = # #
1\t#\t#\tSYM\tS\t_\t0\troot\t_\t_
"""


def test_multi_word_tokens_and_empty_nodes_are_no_words(tmp_path):
    path = write(tmp_path, CONLLU, "a.conllu")
    assert read(path) == ([["vamos", "nos", "a", "el", "mar"], ["#"]],
                          [["VERB", "PRON", "ADP", "DET", "NOUN"], ["SYM"]])
    assert read(path, tag_column=4)[1][0] == ["V", "P", "E", "D", "N"]
    assert read(path, token_column=2)[0][0] == ["ir", "nosotros", "a", "el", "mar"]
    assert read_tagged_sentences(path).scheme == "plain"


def conllu(*sentences):
    """CoNLL-U of (text or None, fields of each row: form, and MISC where it is not _)."""
    blocks = []
    for text, *rows in sentences:
        lines = [] if text is None else [f"# text = {text}"]
        for number, row in enumerate(rows, start=1):
            form, misc = row if isinstance(row, tuple) else (row, "_")
            lines.append("\t".join((str(number), form, form, "X", "Y", "_", "0", "root", "_", misc)))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)


def test_words_of_conllu_stand_in_the_users_own_sentence(tmp_path):
    text = "  Don\u2019t  wait , it\u2019s 10 000!"
    rows = read_tagged_sentences(write(tmp_path, conllu(
        (text, "Do", "n\u2019t", "wait", ",", "it", "\u2019s", "10 000", "!"), ("A film.", "A", "film", ".")),
        "a.conllu"))
    assert [source.text for source in rows.texts] == [text, "A film."]
    assert [source.words for source in rows.texts] == rows.words
    assert rows.at([1]).texts[0].places == [(0, 1), (2, 6), (6, 7)]


def test_words_of_conllu_that_do_not_stand_in_their_sentence_are_joined_as_the_file_says(tmp_path):
    rows = read_tagged_sentences(write(tmp_path, CONLLU, "a.conllu"))
    assert [source.text for source in rows.texts] == ["vamos nos a el mar", "# #"]
    assert [source.words for source in rows.texts] == rows.words
    rows = read_tagged_sentences(write(tmp_path, conllu(
        (None, ("(", "SpaceAfter=No"), "a", ("film", "X=1|SpaceAfter=No"), (")", "SpaceAfter=No")),
        # The words are there, but not one after the other.
        ("a very long film", "a", "film")), "a.conllu"))
    assert [source.text for source in rows.texts] == ["(a film)", "a film"]
    assert [source.words for source in rows.texts] == rows.words
    rows = read_tagged_sentences(write(tmp_path, conllu(("a1 b1", "a1", "b1")), "a.conllu"), drop_last_character=True)
    assert [(source.text, source.words) for source in rows.texts] == [("a b", ["a", "b"])]


def test_chinese_and_japanese_words_of_columns_have_no_space_between_them(tmp_path):
    content = "\n".join(f"{word}\tO" for word in ("我", "在", "东京", "タワー", "。", "I", "see", "，", "5", "月"))
    rows = read_tagged_sentences(write(tmp_path, content))
    assert rows.texts[0].text == "我在东京タワー。 I see ， 5 月" and rows.texts[0].words == rows.words[0]
    (source,) = read_tagged_sentences(write(tmp_path, "Ann O\n, O\nyes O\n")).texts
    assert source.text == "Ann , yes" and source.places == [(0, 3), (4, 5), (6, 9)]


def json_lines(tmp_path, *records):
    return write(tmp_path, "".join(json.dumps(record) + "\n" for record in records), "a.jsonl")


def test_spans_of_characters(tmp_path):
    path = json_lines(tmp_path, {"text": "We left New  York, 巴黎!", "spans": [[19, 21, "LOC"], [8, 17, "LOC"]]},
                      {"text": "none", "spans": []})
    rows = read_tagged_sentences(path)
    assert rows.words == [["We", "left", "New", "York", ",", "巴", "黎", "!"], ["none"]]
    assert rows.tags == [["O", "O", "B-LOC", "I-LOC", "O", "B-LOC", "I-LOC", "O"], ["O"]]
    assert rows.scheme == "IOB2" and rows.told == () and rows.lines == [[1] * 8, [2]]


def test_half_characters_of_json_lines_are_replaced_and_leave_the_places_of_spans(tmp_path):
    path = write(tmp_path, r'{"text": "in \ud83d \ud83d\ude00 Paris", "spans": [[7, 12, "LOC\udc00"]]}', "a.jsonl")
    rows = read_tagged_sentences(path)
    assert rows.texts[0].text == "in \ufffd \U0001f600 Paris" and rows.told == ()
    assert (rows.words[0][-1], rows.tags[0][-1]) == ("Paris", "B-LOC\ufffd")


def test_spans_that_end_inside_a_word_are_widened_and_counted(tmp_path):
    path = json_lines(tmp_path, {"text": "a Parisian in Rome", "spans": [[14, 18, "LOC"]]},
                      {"text": "a Parisian in Rome ", "spans": [[2, 7, "LOC"], [13, 19, "LOC"]]})
    rows = read_tagged_sentences(path)
    assert rows.tags[1] == ["O", "B-LOC", "O", "B-LOC"]  # white space at its ends does not widen a span
    assert rows.told == (f"{path}: 1 spans begin or end inside a word; they take the whole word unless the span before "
                         f"has it. The first is in line 2.",)


def test_a_word_that_two_spans_share_belongs_to_the_first(tmp_path):
    rows = read_tagged_sentences(json_lines(
        tmp_path, {"text": "Bigwok here", "spans": [[3, 6, "B"], [0, 3, "A"]]},
        {"text": "Bigwok here", "spans": [[0, 3, "A"], [3, 11, "B"]]}))
    assert rows.tags == [["B-A", "O"], ["B-A", "B-B"]]
    assert rows.told[0].split(": ")[1].startswith("4 spans begin or end")


def test_tags_that_break_their_scheme_are_counted(tmp_path):
    path = write(tmp_path, "a\tB-X\nb\tI-X\n\nc\tB-X\nd\tO\ne\tI-X\n")
    rows = read_tagged_sentences(path)
    assert rows.scheme == "IOB2" and rows.tags[1] == ["B-X", "O", "I-X"]
    assert rows.told == (f"{path}: 1 tags break the scheme IOB2 and are read as conlleval reads them; the first is in "
                         f"line 6.",)
    assert read_tagged_sentences(path, scheme="plain").told == ()


@pytest.mark.parametrize("scheme", [None, "BIOES"])
def test_bmes_is_read_as_bioes(tmp_path, scheme):
    path = write(tmp_path, "中 B-ORG\n国 M-ORG\n人 E-ORG\n他 O\n\n京 S-LOC\n")
    rows = read_tagged_sentences(path, scheme=scheme)
    assert rows.tags == [["B-ORG", "I-ORG", "E-ORG", "O"], ["S-LOC"]]
    assert rows.scheme == "BIOES" and rows.told == ()
    assert read_tagged_sentences(path, scheme="plain").tags[0][1] == "M-ORG"


@pytest.mark.parametrize(("odd", "message"), [
    ("0", "tag '0' is neither O nor a prefix (B, I, E, S), a dash and a type, as most others are; correct it, or give "
          "--scheme=plain for tags that stand for themselves."),
    ("b-PER", "tag 'b-PER' is neither O nor a prefix"),
    ("B", "tag 'B' is a prefix without a type; write one behind it, as in B-NAME and I-NAME, or give --scheme=plain "
          "for tags that stand for themselves."),
])
def test_one_odd_tag_does_not_make_a_file_of_spans_plain(tmp_path, odd, message):
    path = write(tmp_path, f"a B-PER\nb I-PER\n\nc O\nd {odd}\n")
    with pytest.raises(InputError, match=re.escape(f"{path}, line 5: {message}")):
        read_tagged_sentences(path)
    assert read_tagged_sentences(path, scheme="plain").scheme == "plain"


def test_prefixes_without_types_are_refused(tmp_path):
    path = write(tmp_path, "a O\nb B\nc I\n")
    for scheme in (None, "IOB2"):
        with pytest.raises(InputError, match=r"a\.txt, line 2: tag 'B' is a prefix without a type; write one behind"):
            read_tagged_sentences(path, scheme=scheme)
    assert read_tagged_sentences(path, scheme="plain").tags == [["O", "B", "I"]]


@pytest.mark.parametrize(("content", "settings", "message"), [
    ("", {}, r"a\.txt holds no sentences"),
    ("-DOCSTART- O\n\n", {}, r"a\.txt holds no sentences"),
    ("a O\nb\n", {}, r"a\.txt, line 2: 1 columns, but the first line has 2"),
    ("a O\nb c O\n", {}, r"a\.txt, line 2: 3 columns, but the first line has 2"),
    ("a O\n", {"tag_column": 3}, r"a\.txt, line 1: column 3 does not exist; the line has 2"),
    ("\na\n", {}, r"a\.txt, line 2: column 0 cannot hold both the token and the tag"),
    ("a\tO\nb\t\n", {}, r"a\.txt, line 2: the tag is empty"),
    ("a\tO\n\tO\n", {}, r"a\.txt, line 2: the token is empty"),
    ("a U-X\nb O\n", {}, r"a\.txt: the tags are written in the scheme BILOU; write S- for U-"),
    ("a O\nb S-X\n", {"scheme": "IOB2"}, r"a\.txt, line 2: tag 'S-X' is not of the scheme IOB2"),
    ("a0 O\nb O\n", {"drop_last_character": True}, r"a\.txt, line 2: token 'b' has no last character to drop"),
    (b"a O\n\xff O\n", {}, r"a\.txt, line 2: byte 0xff is not UTF-8"),
])
def test_columns_that_do_not_fit_are_refused(tmp_path, content, settings, message):
    with pytest.raises(InputError, match=message):
        read_tagged_sentences(write(tmp_path, content), **settings)


@pytest.mark.parametrize(("content", "message"), [
    ("1\ta\ta\tNOUN\n", r"line 1: 4 columns; CoNLL-U has 10"),
    (CONLLU.replace("4\tel", "6\tel"), r"line 8: word number '6', expected 4"),
    (CONLLU.replace("\n\n", "\n"), r"line 12: word number '1', expected 6"),
    (CONLLU.replace("DET\tD", "_\tD"), r"line 8: the universal part of speech of 'el' is _, which says that nobody has "
                                       r"given it; column 4, the language's own, has one: give --tag_column=4, or"),
    (CONLLU.replace("DET\tD", "_\t_"), r"line 8: the universal part of speech of 'el' is _, which says that nobody has "
                                       r"given it; correct it, or leave the sentence out\."),
])
def test_conllu_that_does_not_fit_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_tagged_sentences(write(tmp_path, content, "a.conllu"))


@pytest.mark.parametrize(("record", "message"), [
    ("{", r"line 2, column 2: not JSON"),
    ("[1]", r"line 2: expected an object such as"),
    ('{"spans": []}', r"line 2: expected an object such as"),
    ('{"text": "a"}', r'line 2: "spans" is null; expected a list'),
    ('{"text": "a", "spans": [[0, 1]]}', r"line 2: span \[0, 1\]; expected \[start, end, type\]"),
    ('{"text": "a", "spans": [[0, true, "X"]]}', r"line 2: span \[0, true, \"X\"\]; expected \[start, end, type\]"),
    ('{"text": "a", "spans": [[0, 2, "X"]]}', r"line 2: span \[0, 2\] does not lie in its text of 1 characters"),
    ('{"text": "a b", "spans": [[1, 1, "X"]]}', r"line 2: span \[1, 1\] does not lie in its text"),
    ('{"text": "a b", "spans": [[1, 2, "X"]]}', r"line 2: span \[1, 2\] of type 'X' holds no word"),
    ('{"text": "ab c", "spans": [[1, 4, "Y"], [0, 2, "X"]]}', r"line 2: span \[1, 4\] overlaps the one before"),
])
def test_json_lines_that_do_not_fit_are_refused(tmp_path, record, message):
    path = write(tmp_path, '{"text": "fine", "spans": []}\n' + record + "\n", "a.jsonl")
    with pytest.raises(InputError, match=message):
        read_tagged_sentences(path)


@pytest.mark.parametrize("name", ["a.txt", "a.conllu", "a.jsonl"])
@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_holds_no_sentences(tmp_path, name, content):
    path = write(tmp_path, content, name)
    with pytest.raises(InputError, match=f"^{path} holds no sentences; give a file with a word and its tag in each "):
        read_tagged_sentences(path)


@pytest.mark.parametrize("settings", [{"token_column": 0}, {"tag_column": 1}, {"drop_last_character": True}])
def test_json_lines_have_no_columns(tmp_path, settings):
    with pytest.raises(InputError, match="JSON lines have no columns"):
        read_tagged_sentences(json_lines(tmp_path, {"text": "a", "spans": []}), **settings)


@pytest.mark.parametrize("scheme", ["IOB1", "plain"])
def test_json_lines_have_no_scheme(tmp_path, scheme):
    with pytest.raises(InputError, match=rf"a\.jsonl: JSON lines hold spans, not tags of a scheme; leave out "
                                         rf"scheme={scheme}\."):
        read_tagged_sentences(json_lines(tmp_path, {"text": "a", "spans": []}), scheme=scheme)


@pytest.mark.parametrize(("name", "settings", "scheme", "sentences", "words", "misplaced"), [
    # Counts of the data's README, less the -DOCSTART- lines.
    ("tagging/conll2003/eng.testb.gz", {"tag_column": 3}, "IOB1", 3684 - 231, 46666 - 231, 0),
    ("sentiment_and_chunking/conll2000/test.txt.gz", {}, "IOB2", 2012, 47377, 0),
    ("tagging/ud_english_ewt/en_ewt-ud-dev.conllu.gz", {}, "plain", 2001, 25147, 0),
    ("tagging/weibo_ner_zh/train.conll.gz", {"drop_last_character": True}, "IOB2", 1350, 73778, 10),
    ("tagging/msra_ner_zh/dev_subset.bio.gz", {}, "IOB2", 1500, 62775, 0),
])
def test_real_files_are_read_whole(name, settings, scheme, sentences, words, misplaced):
    rows = read_tagged_sentences(shared_path(f"data/finetune/{name}"), **settings)
    assert (rows.scheme, len(rows), sum(map(len, rows.words))) == (scheme, sentences, words)
    assert [told.split(": ")[1].split()[0] for told in rows.told] == [str(misplaced)] * bool(misplaced)
    assert [source.words for source in rows.texts] == rows.words
    if "zh" in name:
        assert {len(word) for sentence in rows.words[:50] for word in sentence} == {1}


def test_the_words_of_a_real_treebank_stand_in_its_own_sentences():
    path = shared_path("data/finetune/tagging/ud_english_ewt/en_ewt-ud-dev.conllu.gz")
    texts = [line.removeprefix("# text = ") for line in gzip.decompress(path.read_bytes()).decode().split("\n")
             if line.startswith("# text = ")]
    rows = read_tagged_sentences(path)
    assert sum(source.text == text for source, text in zip(rows.texts, texts, strict=True)) == len(texts)


def test_words_of_json_lines_are_those_of_the_tokenizer(tmp_path):
    text = "The film\u00ad, was (very) l\u0301ovely!"
    (words,), _ = read(json_lines(tmp_path, {"text": text, "spans": [[0, 3, "X"]]}))
    tokenizer = Tokenizer(tiny_vocabulary())
    assert [token_id for word in words for token_id in tokenizer.ids(word)] == tokenizer.ids(text)
    assert len(spans_of(read_tagged_sentences(tmp_path / "a.jsonl").tags[0])) == 1
