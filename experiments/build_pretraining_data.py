"""Job: text -> a folder of pretraining records. `--help` shows the flags."""

import dataclasses
import sys

import electra_tf
from electra_tf.config import setting
from electra_tf.training.run_folder import write_settings
from experiments import job


@dataclasses.dataclass(frozen=True)
class Flags:
    """Builds pretraining records (sharded TFRecord files with a manifest) from text."""

    corpus: tuple[str, ...] = job.required("files, folders or globs of text, separated by commas; "
                                           ".gz and .xz are unpacked")
    vocabulary: str = job.required("vocabulary folder, as build_vocabulary.py writes it")
    output: str = job.required("folder to make for the records")
    sequence_length: int = setting(128, "tokens in a row, [CLS] and [SEP] included")
    packing: str = setting("carry_over", "carry_over (ELECTRA's rows, nothing dropped), documents (the same, but "
                                         "short documents share a row and do not see each other), full_sequence (no "
                                         "padding, rows cross documents) or original (drops what overflows)")
    workers: int = setting(1, "processes that tokenise and pack")
    seed: int = setting(0, "decides held-out documents, segment lengths and the order of rows")
    validation_fraction: float = setting(0.005, "share of the documents held out for evaluation")
    compression: str = setting("none", "none or gzip")
    format: str = setting("auto", "auto, text, document_per_file, jsonl or wikiextractor")
    field: str = setting("text", "field that holds the text in a JSON lines file")
    errors: str = setting("report", "report counts bytes that are not UTF-8, strict stops at the first")


def main(flags):
    manifest = electra_tf.build_pretraining_data(
        flags.corpus, vocabulary=electra_tf.Vocabulary.load(flags.vocabulary), output=flags.output,
        sequence_length=flags.sequence_length, packing=flags.packing, workers=flags.workers, seed=flags.seed,
        validation_fraction=flags.validation_fraction, compression=flags.compression, corpus_format=flags.format,
        field=flags.field, errors=flags.errors)
    write_settings(flags.output, job="build_pretraining_data", settings=job.settings_of(flags))
    for name, split in manifest.splits.items():
        dropped = f"{split.dropped_tokens / max(1, split.source_tokens):.1%} of the tokens dropped"
        print(f"{name}: {split.documents:,} documents, {split.rows:,} rows in {len(split.shards)} files, "
              f"{split.kept_tokens:,} tokens, {dropped}, {split.padding_share:.1%} padding, "
              f"{split.unknown_rate:.2%} unknown")
    if manifest.corpus["undecodable_bytes"]:
        print(f"{manifest.corpus['undecodable_bytes']:,} bytes of the corpus are not UTF-8 and were left out",
              file=sys.stderr)
    print(f"records are in {flags.output}")


if __name__ == "__main__":
    job.run_job(main, Flags)
