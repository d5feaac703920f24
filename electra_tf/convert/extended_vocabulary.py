"""More pieces for a trained model: another language or domain without losing what is known."""

import dataclasses

import numpy as np

from electra_tf.errors import InputError
from electra_tf.text.basic_tokenizer import normalize, word_places
from electra_tf.text.pieces import CONTINUATION, SPECIAL_PIECES
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.vocabulary import Vocabulary

# Everything that has a row for each piece.
_TABLES = ("encoder/embeddings/word_embeddings", "head/output_embeddings", "head/output_bias")


def new_pieces(vocabulary, pieces, *, where):
    """Those of some pieces that a vocabulary has not, in their order.

    Args:
        vocabulary: Vocabulary of the model.
        pieces: pieces of another one; special pieces and those in brackets, like [unused7], are passed over.
        where: their file, for the error.

    Raises:
        InputError: a piece can never come out of this tokenizer, such as a capital under lower-casing or one with a
            hyphen inside; or none is new.

    >>> new_pieces(vocabulary, ["film", "##zz"], where="pieces.txt")   # ['##zz']
    """
    found = []
    for number, piece in enumerate(pieces, start=1):
        if piece in vocabulary or piece in SPECIAL_PIECES or piece.startswith("[") and piece.endswith("]"):
            continue
        word = piece.removeprefix(CONTINUATION)
        if normalize(word, vocabulary.settings).text != word or len(word_places(word, vocabulary.settings)) != 1:
            raise InputError(f"{where}, line {number}: {piece!r} never comes out of the model's tokenizer "
                             f"(lowercase={vocabulary.settings.lowercase}, strip_accents="
                             f"{vocabulary.settings.strip_accents}, split_cjk={vocabulary.settings.split_cjk}; "
                             f"words end at punctuation); learn the pieces with the same switches.")
        found.append(piece)
    if not found:
        raise InputError(f"{where} has no piece that is new to the model; nothing would be extended.")
    return found


def with_extended_vocabulary(model, pieces, *, where):
    """A model with more pieces: old ids and rows stay, a new row is the mean of the rows the piece consisted of.

    A piece that the old vocabulary could only call [UNK] starts as the mean of all rows. Rows that only filled the
    table up to a multiple of 8 give way.

    Args:
        model: PortableModel or ModelFolder with a vocabulary.
        pieces: pieces of the other language or domain; known ones are passed over.
        where: their file, for the error.

    Returns:
        (the new model, the number of new pieces).

    Raises:
        InputError: the model has no vocabulary, or a piece cannot be used.

    >>> with_extended_vocabulary(model, ["photosynthesis"], where="biology.txt")[1]   # 1
    """
    if model.vocabulary is None:
        raise InputError("the model has no vocabulary to extend; give it one first (--vocabulary).")
    old = model.vocabulary
    added = new_pieces(old, pieces, where=where)
    tokenizer = Tokenizer(old)
    made_of = [tokenizer.ids_of_piece(piece) for piece in added]
    vocabulary = Vocabulary((*old.pieces, *added), old.settings)
    weights = dict(model.weights)
    for name in _TABLES:
        if name in weights:
            rows = weights[name][:old.size]
            mean_of_all = rows.mean(axis=0)
            new = [mean_of_all if old.unk_id in ids else rows[list(ids)].mean(axis=0) for ids in made_of]
            weights[name] = np.concatenate([rows, np.stack(new).astype(rows.dtype)])
    config = dataclasses.replace(model.config, vocabulary_size=vocabulary.size)
    return dataclasses.replace(model, config=config, weights=weights, vocabulary=vocabulary), len(added)
