"""The WordPiece vocabulary: pieces in the order of their ids, and the tokenizer switches they were learned under."""

import dataclasses
import functools
import hashlib
import json
import logging
import os
import pathlib

from electra_tf import config, files
from electra_tf.errors import InputError
from electra_tf.text.corpus import read_corpus
from electra_tf.text.pieces import CLS, CONTINUATION, MASK, PAD, SEP, SPECIAL_PIECES, UNK
from electra_tf.text.wordpiece_training import count_words, learn_pieces

_PIECES_FILE, _SETTINGS_FILE = "vocab.txt", "text_settings.json"


@dataclasses.dataclass(frozen=True)
class TextSettings:
    """The switches of the tokenizer; stored with the vocabulary, which is worth nothing under other switches.

    The original's uncased models use (True, True), its cased models lowercase=False and strip_accents=False.

    >>> TextSettings(strip_accents=False)   # for German, Spanish, Danish: "Bär" -> "bär"
    """

    lowercase: bool = config.setting(True, "turn capitals into small letters")
    strip_accents: bool = config.setting(True, "drop accents (nonspacing marks); changes words in many languages")
    split_cjk: bool = config.setting(True, "make each Chinese character a word of its own")
    max_characters_per_word: int = config.setting(200, "a longer word becomes [UNK]; 200 in the original")

    def __post_init__(self):
        if self.max_characters_per_word < 1:
            raise InputError(f"max_characters_per_word={self.max_characters_per_word} must be 1 or more; "
                             f"the original has 200.")


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Pieces in the order of their ids, checked when made, and the TextSettings they belong to.

    Raises:
        InputError: a special piece is missing, or a piece is empty, repeated or malformed.

    >>> Vocabulary.load("runs/small/vocabulary").id_of("[MASK]")   # 4
    """

    pieces: tuple
    settings: TextSettings = TextSettings()

    def __post_init__(self):
        object.__setattr__(self, "pieces", tuple(self.pieces))
        _check_pieces(self.pieces, "the vocabulary")

    @classmethod
    def learn(cls, corpus, size=8192, *, lowercase=True, strip_accents=True, split_cjk=True,
              character_coverage=0.9995):
        """Learns a vocabulary: the five special pieces, the frequent characters, then parts of words by frequency.

        Args:
            corpus: Corpus of `read_corpus` (or any iterable of its documents), or paths to read in format "auto".
            size: number of pieces wanted; a small corpus gives fewer.
            lowercase, strip_accents, split_cjk: the switches of TextSettings.
            character_coverage: share of the corpus' characters that must get pieces, 0..1; the rarest ones beyond it
                (and beyond the first 256) become [UNK]. 0.9995 keeps 6,320 of the 7,984 characters of a Chinese corpus.

        Returns:
            Vocabulary; the same corpus gives the same one.

        Raises:
            InputError: the size is too small for the characters of the corpus, or the corpus is empty or damaged.

        >>> Vocabulary.learn("novels/*.txt", size=8192).save("vocabulary")
        """
        if not 0 < character_coverage <= 1:
            raise InputError(f"character_coverage={character_coverage} must lie in (0, 1]; 1 keeps every one.")
        settings = TextSettings(lowercase, strip_accents, split_cjk)
        documents = read_corpus(corpus) if _holds_paths(corpus) else corpus
        words = count_words((line for document in documents for line in document.lines), settings)
        pieces = learn_pieces(words, size=size, coverage=character_coverage)
        if len(pieces) < size:
            logging.getLogger(__name__).warning(
                "The vocabulary has %d pieces instead of %d: the corpus holds no more parts of words that occur twice.",
                len(pieces), size)
        return cls(pieces, settings)

    @classmethod
    def from_file(cls, path, settings=TextSettings()):
        """Reads a vocabulary that came from elsewhere: one piece a line, the first line is id 0.

        Args:
            path: a vocab.txt in UTF-8. White space around a piece is dropped, as in the original.
            settings: TextSettings of the tokenizer that the pieces were made for; the file does not tell.

        Returns:
            Vocabulary.

        Raises:
            InputError: names file and line of the first piece that cannot be right.

        >>> Vocabulary.from_file("bert-base-german-cased/vocab.txt", TextSettings(lowercase=False, strip_accents=False))
        """
        pieces = read_pieces(pathlib.Path(path))
        _check_pieces(pieces, path)
        if not any(piece.startswith(CONTINUATION) for piece in pieces):
            raise InputError(f"{path} has no piece that begins with '{CONTINUATION}'; expected a WordPiece vocabulary, "
                             f"where such pieces continue a word.")
        return cls(pieces, settings)

    @classmethod
    def load(cls, folder):
        """Reads what `save` wrote, and checks that nobody has changed it since.

        Args:
            folder: path of a vocabulary folder.

        Raises:
            InputError: a file is missing or damaged, or the content differs from its stored hash.

        >>> Vocabulary.load("vocabulary").size   # 8192
        """
        folder = pathlib.Path(folder)
        for name in (_PIECES_FILE, _SETTINGS_FILE):
            if not (folder / name).is_file():
                raise InputError(f"{folder} has no {name}; give a vocabulary folder, as "
                                 f"experiments/build_vocabulary.py writes it.")
        stored = config.read_json(folder / _SETTINGS_FILE)
        switches = {field.name for field in dataclasses.fields(TextSettings)}
        settings = config.from_dict(TextSettings, {name: stored[name] for name in switches if name in stored})
        vocabulary = cls(read_pieces(folder / _PIECES_FILE), settings)
        if stored.get("hash") != vocabulary.hash:
            raise InputError(f"{folder}: {_PIECES_FILE} and the switches do not match the hash in {_SETTINGS_FILE}; "
                             f"one of them was changed or mixed up, restore the folder from where it was made.")
        return vocabulary

    def save(self, folder):
        """Writes vocab.txt and text_settings.json (the switches, the size and the hash) into a new or empty folder.

        Raises:
            InputError: the folder holds other work.

        >>> vocabulary.save("vocabulary")
        """
        with files.new_folder(folder) as partial:
            self.write_into(partial)

    def write_into(self, folder):
        """Writes the two files of `save` into a folder that is itself still under a temporary name.

        >>> with files.new_folder("small") as folder:
        ...     (folder / "vocabulary").mkdir()
        ...     vocabulary.write_into(folder / "vocabulary")
        """
        folder = pathlib.Path(folder)
        files.write_text_atomically(folder / _PIECES_FILE, "".join(f"{piece}\n" for piece in self.pieces))
        files.write_json_atomically(folder / _SETTINGS_FILE,
                                    {**config.to_dict(self.settings), "size": self.size, "hash": self.hash})

    @property
    def size(self):
        return len(self.pieces)

    @functools.cached_property
    def _ids(self):
        return {piece: index for index, piece in enumerate(self.pieces)}

    def id_of(self, piece):
        """The id of a piece that is in the vocabulary (KeyError otherwise)."""
        return self._ids[piece]

    def __contains__(self, piece):
        return piece in self._ids

    @property
    def pad_id(self):
        return self._ids[PAD]

    @property
    def unk_id(self):
        return self._ids[UNK]

    @property
    def cls_id(self):
        return self._ids[CLS]

    @property
    def sep_id(self):
        return self._ids[SEP]

    @property
    def mask_id(self):
        return self._ids[MASK]

    @functools.cached_property
    def hash(self):
        """SHA-256 over the pieces and the switches, in hexadecimal: two vocabularies are the same if it is."""
        content = json.dumps([config.to_dict(self.settings), self.pieces], sort_keys=True)
        return hashlib.sha256(content.encode("ascii")).hexdigest()


def _holds_paths(corpus):
    return isinstance(corpus, (str, os.PathLike)) or (
        isinstance(corpus, (list, tuple)) and all(isinstance(path, (str, os.PathLike)) for path in corpus))


def read_pieces(path):
    """The lines of a vocab.txt without the white space around them, unchecked.

    Raises:
        InputError: names the file, or the line that is not UTF-8.

    >>> read_pieces("vocab.txt")[0]   # '[PAD]'
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; give the path of a vocab.txt.") from None
    pieces = []
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
        try:
            pieces.append(line.decode("utf-8-sig" if number == 1 else "utf-8").strip())
        except UnicodeDecodeError as error:
            raise InputError(f"{path}, line {number}: byte 0x{line[error.start]:02x} is not UTF-8; convert the file, "
                             f"for example with iconv.") from None
    return pieces


def _check_pieces(pieces, where):
    line_of = {}
    for number, piece in enumerate(pieces, start=1):
        place = f"{where}, line {number}"
        if not piece:
            raise InputError(f"{place} is blank; each line holds one piece, and the line number gives its id.")
        if piece == CONTINUATION:
            raise InputError(f"{place}: '{CONTINUATION}' stands alone; a piece that continues a word has characters "
                             f"after it, as '{CONTINUATION}ing'.")
        if len(piece.split()) > 1:
            raise InputError(f"{place}: {piece!r} holds white space, but a word never does; give one piece per line "
                             f"and nothing else.")
        if piece in line_of:
            raise InputError(f"{place}: {piece!r} stands already on line {line_of[piece]}; replace one of them by an "
                             f"unused piece, so that the other ids stay as they are.")
        line_of[piece] = number
    for piece in SPECIAL_PIECES:
        if piece not in line_of:
            raise InputError(f"{where}: {piece} is missing; expected {', '.join(SPECIAL_PIECES)}, each on a line.")


def is_cased(pieces):
    """Whether pieces other than the bracketed ones hold capital letters."""
    return any(piece != piece.lower() for piece in pieces if not piece.startswith("["))
