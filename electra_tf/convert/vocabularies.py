"""Vocabularies in the files of other libraries, with the tokenizer switches that stand beside them."""

import json
import pathlib

from electra_tf.config import read_json
from electra_tf.errors import InputError
from electra_tf.text.pieces import CLS, CONTINUATION, MASK, PAD, SEP, SPECIAL_PIECES, UNK
from electra_tf.text.vocabulary import TextSettings, Vocabulary, is_cased

PIECES_FILE = "vocab.txt"
_OUR_SETTINGS_FILE = "text_settings.json"
_TOKENIZER, _TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"


def read_vocabulary_beside(folder):
    """The vocabulary in a folder of the original's, BERT's or Hugging Face's layout.

    The pieces come from tokenizer.json, else from vocab.txt; the switches from tokenizer_config.json, else from
    tokenizer.json, else they are told from the pieces: a vocabulary with capitals is a cased one.

    Args:
        folder: the checkpoint's folder.

    Returns:
        (Vocabulary or None, tuple of sentences about what was assumed).

    Raises:
        InputError: the tokenizer is of another kind, or the pieces are damaged.

    >>> read_vocabulary_beside("electra-small-discriminator")[0].size   # 30522
    """
    folder = pathlib.Path(folder)
    if (folder / PIECES_FILE).is_file() and (folder / _OUR_SETTINGS_FILE).is_file():
        return Vocabulary.load(folder), ()
    tokenizer = read_json(folder / _TOKENIZER) if (folder / _TOKENIZER).is_file() else None
    switches = read_json(folder / _TOKENIZER_CONFIG) if (folder / _TOKENIZER_CONFIG).is_file() else None
    if switches is not None and switches.get("word_tokenizer_type", "basic") != "basic":
        raise InputError(f"{folder / _TOKENIZER_CONFIG}: words are found by {switches['word_tokenizer_type']!r} there, "
                         f"which is no part of this package; its ids would be others.")
    if tokenizer is not None:
        pieces = _pieces_of(tokenizer, folder / _TOKENIZER)
        _require_words_as_in_bert(tokenizer, folder / _TOKENIZER)
        return Vocabulary(pieces, _settings_of(switches or {}, tokenizer)), ()
    if not (folder / PIECES_FILE).is_file():
        return None, (f"{folder} holds no vocabulary ({PIECES_FILE} or {_TOKENIZER}).",)
    if switches is not None:
        return Vocabulary.from_file(folder / PIECES_FILE, _settings_of(switches, {})), ()
    vocabulary = Vocabulary.from_file(folder / PIECES_FILE)
    if not is_cased(vocabulary.pieces):
        return vocabulary, ("No file says how the tokenizer was set; the vocabulary has no capitals, so it lower-cases "
                            "and strips accents.",)
    return (Vocabulary(vocabulary.pieces, TextSettings(lowercase=False, strip_accents=False)),
            ("No file says how the tokenizer was set; the vocabulary has capitals, so case and accents are kept.",))


def write_hugging_face(folder, vocabulary, *, max_positions):
    """Writes vocab.txt, tokenizer.json and tokenizer_config.json, as AutoTokenizer reads them."""
    folder, settings = pathlib.Path(folder), vocabulary.settings
    _write_pieces(folder / PIECES_FILE, vocabulary)
    ids = {piece: vocabulary.id_of(piece) for piece in SPECIAL_PIECES}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": token_id, "content": piece, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True}
                         for piece, token_id in sorted(ids.items(), key=lambda item: item[1])],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": settings.split_cjk,
                       "strip_accents": settings.strip_accents, "lowercase": settings.lowercase},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [_special(CLS), _sequence("A"), _special(SEP)],
            "pair": [_special(CLS), _sequence("A"), _special(SEP), _sequence("B", 1), _special(SEP, 1)],
            "special_tokens": {piece: {"id": piece, "ids": [ids[piece]], "tokens": [piece]} for piece in (CLS, SEP)}},
        "decoder": {"type": "WordPiece", "prefix": CONTINUATION, "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": UNK, "continuing_subword_prefix": CONTINUATION,
                  "max_input_chars_per_word": settings.max_characters_per_word,
                  "vocab": {piece: token_id for token_id, piece in enumerate(vocabulary.pieces)}}}
    _write_json(folder / _TOKENIZER, tokenizer)
    _write_json(folder / _TOKENIZER_CONFIG, {
        "backend": "tokenizers", "tokenizer_class": "BertTokenizer", "model_max_length": max_positions,
        "do_lower_case": settings.lowercase, "strip_accents": settings.strip_accents,
        "tokenize_chinese_chars": settings.split_cjk, "cls_token": CLS, "mask_token": MASK, "pad_token": PAD,
        "sep_token": SEP, "unk_token": UNK})


_KERAS_HUB_PIECES = "assets/tokenizer/vocabulary.txt"


def read_keras_hub(folder):
    """The vocabulary of a KerasHub preset, or None."""
    folder = pathlib.Path(folder)
    if not (folder / _KERAS_HUB_PIECES).is_file():
        return None
    stored = read_json(folder / _TOKENIZER)["config"] if (folder / _TOKENIZER).is_file() else {}
    # KerasHub keeps accents unless told otherwise, and its lower-casing is another one; split is its word splitting.
    settings = TextSettings(lowercase=bool(stored.get("lowercase", False)),
                            strip_accents=bool(stored.get("strip_accents", False)))
    return Vocabulary.from_file(folder / _KERAS_HUB_PIECES, settings)


def write_keras_hub(folder, vocabulary):
    """Writes the tokenizer of a KerasHub preset."""
    folder = pathlib.Path(folder)
    (folder / _KERAS_HUB_PIECES).parent.mkdir(parents=True)
    _write_pieces(folder / _KERAS_HUB_PIECES, vocabulary)
    dtype = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "int32"}, "registered_name": None}
    _write_json(folder / _TOKENIZER, {
        "module": "keras_hub.src.models.electra.electra_tokenizer", "class_name": "ElectraTokenizer",
        "config": {
            "name": "electra_tokenizer", "trainable": True, "dtype": dtype, "config_file": _TOKENIZER,
            "vocabulary": None, "sequence_length": None, "lowercase": vocabulary.settings.lowercase,
            "strip_accents": vocabulary.settings.strip_accents, "split": True, "suffix_indicator": CONTINUATION,
            "oov_token": UNK, "special_tokens": None, "special_tokens_in_strings": False},
        "registered_name": "keras_hub>ElectraTokenizer"})


def _pieces_of(tokenizer, path):
    """The pieces of a tokenizer.json in the order of their ids, those that were added later included."""
    model = tokenizer.get("model", {})
    if model.get("type", "WordPiece") != "WordPiece" or model.get("continuing_subword_prefix") != CONTINUATION:
        raise InputError(f"{path} holds a tokenizer of type {model.get('type')!r}; expected WordPiece with the prefix "
                         f"'{CONTINUATION}', as BERT and ELECTRA have it.")
    id_of = {**model["vocab"], **{added["content"]: added["id"] for added in tokenizer.get("added_tokens", ())}}
    pieces = sorted(id_of, key=id_of.get)
    if [id_of[piece] for piece in pieces] != list(range(len(pieces))):
        raise InputError(f"{path}: the ids of its {len(pieces)} pieces are not 0 to {len(pieces) - 1}, each once; "
                         f"restore the file from where it was made.")
    return pieces


def _require_words_as_in_bert(tokenizer, path):
    """InputError where a tokenizer.json cleans its text or finds its words otherwise than BERT."""
    for part, known in (("normalizer", "BertNormalizer"), ("pre_tokenizer", "BertPreTokenizer")):
        found = (tokenizer.get(part) or {}).get("type", known)
        if found != known:
            raise InputError(f"{path}: the {part} is of type {found!r}, and only {known} is known here; its ids would "
                             f"be others.")


def _settings_of(switches, tokenizer):
    """TextSettings from tokenizer_config.json, which wins, and the normalizer of tokenizer.json."""
    normalizer = tokenizer.get("normalizer") or {}
    lowercase = bool(switches.get("do_lower_case", normalizer.get("lowercase", True)))
    strip_accents = switches.get("strip_accents", normalizer.get("strip_accents"))
    split_cjk = switches.get("tokenize_chinese_chars", normalizer.get("handle_chinese_chars", True))
    longest = tokenizer.get("model", {}).get("max_input_chars_per_word", TextSettings().max_characters_per_word)
    return TextSettings(lowercase, lowercase if strip_accents is None else bool(strip_accents), bool(split_cjk),
                        longest)


def _special(piece, segment=0):
    return {"SpecialToken": {"id": piece, "type_id": segment}}


def _sequence(name, segment=0):
    return {"Sequence": {"id": name, "type_id": segment}}


def _write_pieces(path, vocabulary):
    path.write_text("".join(f"{piece}\n" for piece in vocabulary.pieces), encoding="utf-8")


def _write_json(path, values):
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
