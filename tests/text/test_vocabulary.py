import json

import pytest

from electra_tf.errors import InputError
from electra_tf.text.corpus import Document
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.vocabulary import SPECIAL_PIECES, TextSettings, Vocabulary
from tests.oracles.shared import shared_path

PIECES = [*SPECIAL_PIECES, "a", "b", "##a", "##b"]


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_ids_are_line_numbers_wherever_the_special_pieces_stand(tmp_path):
    path = write(tmp_path / "vocab.txt", "[unused0]\n[MASK]\n[PAD]\n the \n##s\t\n[SEP]\n[CLS]\n[UNK]\r\né")
    vocabulary = Vocabulary.from_file(path)
    assert vocabulary.pieces == ("[unused0]", "[MASK]", "[PAD]", "the", "##s", "[SEP]", "[CLS]", "[UNK]", "é")
    assert (vocabulary.mask_id, vocabulary.pad_id, vocabulary.sep_id) == (1, 2, 5)
    assert (vocabulary.cls_id, vocabulary.unk_id) == (6, 7)
    assert vocabulary.size == 9 and vocabulary.id_of("##s") == 4 and "é" in vocabulary and "s" not in vocabulary


def test_only_a_line_feed_ends_a_line_of_a_vocabulary_file(tmp_path):
    path = write(tmp_path / "vocab.txt", "\ufeff" + "\n".join([*PIECES, "x\u200b\u2060y"]) + "\n")
    assert Vocabulary.from_file(path).pieces[-1] == "x\u200b\u2060y"
    assert Vocabulary.from_file(path).pieces[0] == "[PAD]"


@pytest.mark.parametrize(("lines", "message"), [
    (PIECES[:4] + PIECES[5:], r"vocab.txt: \[MASK\] is missing; expected \[PAD\], \[UNK\]"),
    ([*PIECES, "b"], "vocab.txt, line 10: 'b' stands already on line 7"),
    ([*PIECES[:6], "", *PIECES[6:]], "vocab.txt, line 7 is blank"),
    ([*PIECES, "\u3000"], "vocab.txt, line 10 is blank"),
    ([*PIECES, "##"], "vocab.txt, line 10: '##' stands alone"),
    ([*PIECES[:6], "## b"], "vocab.txt, line 7: '## b' holds white space"),
    ([*PIECES[:6], "the\t117"], r"vocab.txt, line 7: 'the\\t117' holds white space"),
    (PIECES[:7], "vocab.txt has no piece that begins with '##'")])
def test_a_file_that_cannot_be_right_is_refused_with_its_line(tmp_path, lines, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.from_file(write(tmp_path / "vocab.txt", "\n".join(lines) + "\n"))


def test_a_file_that_is_missing_or_not_utf8_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere.txt cannot be read"):
        Vocabulary.from_file(tmp_path / "nowhere.txt")
    with pytest.raises(InputError, match="vocab.txt, line 2: byte 0xe9 is not UTF-8"):
        Vocabulary.from_file(write(tmp_path / "vocab.txt", b"[PAD]\ncaf\xe9\n"))


def test_pieces_given_in_python_are_checked_the_same_way():
    with pytest.raises(InputError, match="the vocabulary, line 6 is blank"):
        Vocabulary([*SPECIAL_PIECES, ""])


@pytest.mark.parametrize("relative", ["oracles/original/vocab_5k.txt", "oracles/original/tiny_vocab.txt",
                                      "oracles/huggingface/tokenizer_uncased/vocab.txt",
                                      "oracles/huggingface/tokenizer_cased/vocab.txt"])
def test_vocabularies_of_other_libraries_are_accepted(relative):
    path = shared_path(relative)
    assert Vocabulary.from_file(path).size == len(path.read_text(encoding="utf-8").splitlines())


def test_a_saved_vocabulary_comes_back_with_its_switches(tmp_path):
    vocabulary = Vocabulary([*PIECES, "é", "\u200b"], TextSettings(strip_accents=False, split_cjk=False))
    vocabulary.save(tmp_path / "v")
    assert Vocabulary.load(tmp_path / "v") == vocabulary
    assert json.loads((tmp_path / "v" / "text_settings.json").read_text()) == {
        "lowercase": True, "strip_accents": False, "split_cjk": False, "max_characters_per_word": 200, "size": 11,
        "hash": vocabulary.hash}


def test_every_switch_and_every_piece_changes_the_hash():
    variants = [Vocabulary(PIECES), Vocabulary([*PIECES[:-2], PIECES[-1], PIECES[-2]]), Vocabulary([*PIECES, "c"])]
    variants += [Vocabulary(PIECES, settings) for settings in (
        TextSettings(lowercase=False), TextSettings(strip_accents=False), TextSettings(split_cjk=False),
        TextSettings(max_characters_per_word=100))]
    assert len({vocabulary.hash for vocabulary in variants}) == len(variants)
    assert Vocabulary(PIECES).hash == Vocabulary(tuple(PIECES)).hash


@pytest.mark.parametrize("change", [
    lambda folder: write(folder / "vocab.txt", "\n".join([*PIECES, "c"])),
    lambda folder: write(folder / "text_settings.json", json.dumps(
        {**json.loads((folder / "text_settings.json").read_text()), "strip_accents": False}))])
def test_a_folder_that_was_changed_is_refused(tmp_path, change):
    Vocabulary(PIECES).save(tmp_path / "v")
    change(tmp_path / "v")
    with pytest.raises(InputError, match="vocab.txt and the switches do not match the hash in text_settings.json"):
        Vocabulary.load(tmp_path / "v")


def test_a_folder_without_a_vocabulary_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no vocab.txt; give a vocabulary folder"):
        Vocabulary.load(tmp_path)
    write(tmp_path / "vocab.txt", "\n".join(PIECES))
    with pytest.raises(InputError, match="has no text_settings.json"):
        Vocabulary.load(tmp_path)


def test_a_vocabulary_is_never_saved_over_other_work(tmp_path):
    write(tmp_path / "notes.txt", "mine")
    with pytest.raises(InputError, match=r"holds other work \(notes.txt\)"):
        Vocabulary(PIECES).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_word_can_hold_at_least_one_character():
    with pytest.raises(InputError, match="max_characters_per_word=0 must be 1 or more"):
        TextSettings(max_characters_per_word=0)


def documents(*texts):
    return [Document([text], "here:1") for text in texts]


def test_learning_from_documents_or_from_their_file_is_the_same(tmp_path):
    text = "Low lower lowest!\nlow lows, new newer newest."
    path = write(tmp_path / "a.txt", text)
    learned = Vocabulary.learn(documents(*text.split("\n")), size=60)
    assert learned == Vocabulary.learn(path, size=60) == Vocabulary.learn([str(path)], size=60)
    assert learned.pieces[:5] == SPECIAL_PIECES
    assert {"low", "new", "##er", "!", "l", "##w"} <= set(learned.pieces)
    assert Tokenizer(learned)("LOW").pieces == ["low"]


@pytest.mark.parametrize(("switches", "expected"), [
    ({}, "arger"), ({"strip_accents": False}, "ärger"), ({"lowercase": False}, "Arger"),
    ({"lowercase": False, "strip_accents": False}, "Ärger")])
def test_pieces_are_learned_under_the_switches_they_are_stored_with(switches, expected):
    vocabulary = Vocabulary.learn(documents(*["Ärger"] * 5), size=40, **switches)
    assert expected in vocabulary and vocabulary.settings == TextSettings(**switches)


def test_chinese_is_learned_by_character_unless_told_otherwise():
    corpus = documents(*["语言 语言"] * 4)
    assert set(Vocabulary.learn(corpus + documents("ab ab"), size=30).pieces) >= {"语", "言", "ab"}
    assert "语言" in Vocabulary.learn(corpus, size=30, split_cjk=False)
    assert "语言" not in Vocabulary.learn(corpus + documents("ab"), size=30)


def test_a_small_corpus_gives_a_small_vocabulary_and_says_so(caplog):
    vocabulary = Vocabulary.learn(documents("ab ab"), size=100)
    assert vocabulary.pieces == (*SPECIAL_PIECES, "a", "b", "##b", "ab")
    assert "The vocabulary has 9 pieces instead of 100" in caplog.text


def test_a_share_that_is_none_is_refused():
    with pytest.raises(InputError, match=r"character_coverage=0 must lie in \(0, 1\]"):
        Vocabulary.learn(documents("ab"), character_coverage=0)


def test_a_corpus_of_single_characters_needs_no_pieces_that_continue_a_word(tmp_path):
    vocabulary = Vocabulary.learn(documents("语 言"), size=30)
    assert vocabulary.pieces == (*SPECIAL_PIECES, "言", "语")
    vocabulary.save(tmp_path / "v")
    assert Vocabulary.load(tmp_path / "v") == vocabulary
