"""Vocabularies and tokenizer switches in the layouts of other libraries."""

import json
import shutil

import pytest

from electra_tf.config import read_json
from electra_tf.convert.hugging_face import config_from, settings_from
from electra_tf.convert.vocabularies import read_vocabulary_beside, write_hugging_face
from electra_tf.errors import InputError
from electra_tf.text.vocabulary import TextSettings, Vocabulary
from tests.oracles.hugging_face import folder_of
from tests.oracles.shared import shared_path
from tests.text.cases import ALL_SETTINGS

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "ä")


def write(folder, **files):
    """Writes vocab.txt with PIECES, and JSON files by their names without ending."""
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES), encoding="utf-8")
    for name, values in files.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize("name, lowercase, size", [
    ("tokenizer_uncased", True, 3600), ("tokenizer_cased", False, 3800), ("tokenizer_v4_layout", True, 3600),
    ("discriminator_tokenizer_json_only", True, 512)])
def test_the_tokenizers_of_transformers_4_and_5_are_read(name, lowercase, size):
    vocabulary, told = read_vocabulary_beside(folder_of(name))
    assert vocabulary.settings == TextSettings(lowercase, lowercase, True, 100)
    assert vocabulary.size == size and told == ()
    if name != "discriminator_tokenizer_json_only":
        assert list(vocabulary.pieces) == (folder_of(name) / "vocab.txt").read_text(encoding="utf-8").splitlines()


def test_tokenizer_config_wins_over_the_normalizer(tmp_path):
    tokenizer = {"model": {"type": "WordPiece", "continuing_subword_prefix": "##", "max_input_chars_per_word": 77,
                           "vocab": {piece: number for number, piece in enumerate(PIECES)}},
                 "normalizer": {"lowercase": True, "strip_accents": True, "handle_chinese_chars": False}}
    folder = write(tmp_path / "a", tokenizer=tokenizer, tokenizer_config={"do_lower_case": False})
    assert read_vocabulary_beside(folder)[0].settings == TextSettings(False, True, False, 77)
    folder = write(tmp_path / "b", tokenizer=tokenizer)
    assert read_vocabulary_beside(folder)[0].settings == TextSettings(True, True, False, 77)


@pytest.mark.parametrize("switches, expected", [
    ({"do_lower_case": True}, TextSettings()),
    ({"do_lower_case": False}, TextSettings(lowercase=False, strip_accents=False)),
    ({"do_lower_case": True, "strip_accents": False}, TextSettings(strip_accents=False)),
    ({"do_lower_case": True, "tokenize_chinese_chars": False}, TextSettings(split_cjk=False))])
def test_switches_beside_a_plain_list_of_pieces(switches, expected, tmp_path):
    vocabulary, told = read_vocabulary_beside(write(tmp_path, tokenizer_config=switches))
    assert (vocabulary.settings, vocabulary.pieces, told) == (expected, PIECES, ())


def test_without_any_switches_capitals_tell_a_cased_vocabulary(tmp_path):
    vocabulary, (told,) = read_vocabulary_beside(write(tmp_path / "uncased"))
    assert vocabulary.settings == TextSettings() and "no capitals, so it lower-cases" in told
    (write(tmp_path / "cased") / "vocab.txt").write_text("\n".join([*PIECES, "Haus"]), encoding="utf-8")
    vocabulary, (told,) = read_vocabulary_beside(tmp_path / "cased")
    assert vocabulary.settings == TextSettings(lowercase=False, strip_accents=False) and "has capitals" in told


@pytest.mark.parametrize("settings", [*ALL_SETTINGS, TextSettings(max_characters_per_word=50)])
def test_every_switch_survives_the_files_of_hugging_face(settings, tmp_path):
    vocabulary = Vocabulary(PIECES, settings)
    write_hugging_face(tmp_path, vocabulary, max_positions=64)
    assert read_vocabulary_beside(tmp_path) == (vocabulary, ())


def test_pieces_that_were_added_later_are_pieces_and_gaps_are_refused(tmp_path):
    model = {"type": "WordPiece", "continuing_subword_prefix": "##",
             "vocab": {piece: number for number, piece in enumerate(PIECES)}}
    tokenizer = {"model": model, "added_tokens": [{"content": "<user>", "id": len(PIECES)}]}
    vocabulary, _ = read_vocabulary_beside(write(tmp_path, tokenizer=tokenizer))
    assert vocabulary.pieces == (*PIECES, "<user>")
    tokenizer["added_tokens"][0]["id"] += 1
    with pytest.raises(InputError, match="the ids of its 9 pieces are not 0 to 8, each once"):
        read_vocabulary_beside(write(tmp_path, tokenizer=tokenizer))


def test_a_vocabulary_of_ours_beside_a_checkpoint_keeps_its_switches(tmp_path):
    vocabulary = Vocabulary(PIECES, TextSettings(strip_accents=False, max_characters_per_word=50))
    vocabulary.save(tmp_path / "folder")
    assert read_vocabulary_beside(tmp_path / "folder") == (vocabulary, ())


def test_settings_of_transformers_4_are_read_and_ours_come_back():
    stored = read_json(shared_path("oracles/huggingface/config_v4_layout/config.json"))
    config = config_from(stored, "config.json")
    assert (config.embedding_size, config.hidden_size, config.max_positions, config.layer_norm_epsilon) == (
        16, 32, 64, 1e-12)
    written = settings_from(config)
    assert {name: stored[name] for name in stored if name in written} == {
        name: value for name, value in written.items() if name in stored}
    with pytest.raises(InputError, match="config.json has no num_hidden_layers; it does not describe an encoder"):
        config_from({name: value for name, value in stored.items() if name != "num_hidden_layers"}, "config.json")


def test_the_tokenizer_files_of_a_folder_may_be_missing_altogether(tmp_path):
    shutil.copytree(folder_of("discriminator"), tmp_path / "bare", ignore=shutil.ignore_patterns("tok*", "vocab*"))
    vocabulary, (told,) = read_vocabulary_beside(tmp_path / "bare")
    assert vocabulary is None and "holds no vocabulary" in told
