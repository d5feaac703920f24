"""Job: text -> a vocabulary folder. `--help` shows the flags."""

import dataclasses
import sys

import electra_tf
from electra_tf import files
from electra_tf.config import setting
from electra_tf.progress import Progress
from electra_tf.text.vocabulary import is_cased
from electra_tf.training.run_folder import write_result, write_settings
from experiments import job

_MEGABYTE = 1e6


@dataclasses.dataclass(frozen=True)
class Flags:
    """Learns a WordPiece vocabulary from text, or checks one that exists and stores it with its switches."""

    output: str = job.required("folder to make for the vocabulary")
    corpus: tuple[str, ...] = setting((), "files, folders or globs of text, separated by commas; .gz and .xz are "
                                          "unpacked")
    vocabulary_file: str = setting("", "instead of a corpus: a vocab.txt from elsewhere, to be checked and stored")
    vocabulary_size: int = setting(8192, "number of pieces to learn; a small corpus gives fewer")
    lowercase: bool = setting(True, "turn capitals into small letters")
    strip_accents: bool = setting(True, "drop accents; keep them (--nostrip_accents) in German, Spanish, Danish, ...")
    split_cjk: bool = setting(True, "make each Chinese character a word of its own")
    character_coverage: float = setting(0.9995, "share of the characters of the corpus that gets pieces; the rarest "
                                                "beyond it become [UNK]")
    format: str = setting("auto", "auto, text, document_per_file, jsonl or wikiextractor")
    field: str = setting("text", "field that holds the text in a JSON lines file")
    errors: str = setting("report", "report counts bytes that are not UTF-8, strict stops at the first")


def main(flags):
    if bool(flags.corpus) == bool(flags.vocabulary_file):
        raise electra_tf.InputError("give either --corpus to learn a vocabulary, or --vocabulary_file to store one.")
    files.require_new_or_empty(flags.output)
    vocabulary, result = _learned(flags) if flags.corpus else _checked(flags)
    with files.new_folder(flags.output) as folder:
        vocabulary.write_into(folder)
        write_settings(folder, job="build_vocabulary", settings=job.settings_of(flags))
        write_result(folder, {"size": vocabulary.size, "hash": vocabulary.hash, **result})
    print(f"{vocabulary.size:,} pieces are in {flags.output}")


def _checked(flags):
    settings = electra_tf.TextSettings(flags.lowercase, flags.strip_accents, flags.split_cjk)
    vocabulary = electra_tf.Vocabulary.from_file(flags.vocabulary_file, settings)
    if flags.lowercase and is_cased(vocabulary.pieces):
        raise electra_tf.InputError(f"--vocabulary_file: {flags.vocabulary_file} has capitals, which a tokenizer that "
                                    f"makes small letters never finds; add --nolowercase --nostrip_accents.")
    return vocabulary, {}


def _learned(flags):
    corpus = electra_tf.read_corpus(flags.corpus, format=flags.format, field=flags.field, errors=flags.errors)
    with Progress(corpus.size_bytes / _MEGABYTE, unit="MB", description="Reading") as progress:
        vocabulary = electra_tf.Vocabulary.learn(
            _watched(corpus, progress), flags.vocabulary_size, lowercase=flags.lowercase,
            strip_accents=flags.strip_accents, split_cjk=flags.split_cjk, character_coverage=flags.character_coverage)
    counts = corpus.counts
    print(f"{counts.documents:,} documents, {counts.lines:,} lines, {counts.characters:,} characters were read")
    if counts.undecodable_bytes:
        print(f"{counts.undecodable_bytes:,} bytes of the corpus are not UTF-8 and were left out", file=sys.stderr)
    return vocabulary, {"corpus": dataclasses.asdict(counts)}


def _watched(corpus, progress):
    for document in corpus:
        progress.update(corpus.counts.bytes_read / _MEGABYTE)
        yield document


if __name__ == "__main__":
    job.run_job(main, Flags)
