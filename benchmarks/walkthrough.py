"""The walk-through of docs/ on four corpora: vocabulary, records, minutes of pretraining, fine-tuning.

Each corpus is one entry of a queue and one file in results/; what is there already is not run again. The jobs run as
commands of this checkout, with the Python that runs this script:

    python benchmarks/walkthrough.py ../shared/data [NAME ...]        NAME: english_novels, wikipedia, german, chinese
"""

import csv
import dataclasses
import gzip
import json
import lzma
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
CHAPTERS_OF_TRAINING = 0.8  # of each German novel; the later ones are held out
SELECTION_ROWS = 2000  # of the training rows of SST-2


@dataclasses.dataclass(frozen=True)
class Journey:
    """One corpus and one labelled set."""

    corpus: str
    what: str
    labelled: Callable
    text_columns: str = "sentence"
    fine_tuning_flags: tuple[str, ...] = ()
    vocabulary_flags: tuple[str, ...] = ()
    vocabulary_size: int = 8192
    train_steps: int = 1200


def sentence_polarity(data, _):
    folder = ROOT / "electra_tf" / "sample_data" / "sentence_polarity"
    return {"train": folder / "train.tsv.gz", "validation": folder / "dev.tsv", "test": folder / "test.tsv"}


def sst2(data, folder):
    """Its development set is tested on, as the test set has no labels; the last training rows choose the weights."""
    source = data / "finetune" / "glue" / "SST-2"
    with gzip.open(source / "train.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
        header, *rows = lines.read().rstrip("\n").split("\n")
    for part, kept in (("train", rows[:-SELECTION_ROWS]), ("validation", rows[-SELECTION_ROWS:])):
        (folder / f"{part}.tsv").write_text("\n".join([header, *kept, ""]), "utf-8")
    return {"train": folder / "train.tsv", "validation": folder / "validation.tsv", "test": source / "dev.tsv"}


def chnsenticorp(data, folder):
    """Its files, without the training rows that also stand in the other two."""
    source = data / "finetune" / "classification_zh" / "chnsenticorp"
    held_out = {line for name in ("dev.tsv", "test.tsv") for line in (source / name).read_text("utf-8").split("\n")}
    with gzip.open(source / "train.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
        header, *rows = lines.read().split("\n")
    kept = [row for row in rows if row and row not in held_out]
    (folder / "train.tsv").write_text("\n".join([header, *kept, ""]), "utf-8")
    return {"train": folder / "train.tsv", "validation": source / "dev.tsv", "test": source / "test.tsv"}


def authors(data, folder):
    """Paragraphs of German novels by author: earlier chapters to train on, later ones held out."""
    source = data / "pretrain" / "novels_de"
    with open(source / "books.tsv", encoding="utf-8") as lines:
        books = [book for book in csv.DictReader(lines, delimiter="\t") if book["split"] == "train"]
    chapters = iter(lzma.open(source / "train-00.txt.xz", "rt", encoding="utf-8").read().strip().split("\n\n"))
    parts = {"train": [], "validation": [], "test": []}
    for book in books:
        count = int(book["chapters"])
        for number in range(count):
            held_out = ("validation", "test")[number % 2]
            part = "train" if number < CHAPTERS_OF_TRAINING * count else held_out
            parts[part] += [f"{paragraph}\t{book['author'].split(',')[0]}" for paragraph in next(chapters).split("\n")
                            if 150 <= len(paragraph) <= 600 and "\t" not in paragraph]
    for part, rows in parts.items():
        (folder / f"{part}.tsv").write_text("\n".join(["sentence\tlabel", *rows, ""]), "utf-8")
    return {part: folder / f"{part}.tsv" for part in parts}


JOURNEYS = {
    "english_novels": Journey("novels_en/train-*.txt.xz", "English novels -> sentence polarity", sentence_polarity),
    "wikipedia": Journey("wiki_en/train-00.txt.xz", "English Wikipedia, a quarter -> SST-2, one epoch", sst2,
                         fine_tuning_flags=("--epochs=1",)),
    "german": Journey("novels_de/train-00.txt.xz", "German novels -> which author wrote the paragraph", authors,
                      vocabulary_flags=("--nolowercase", "--nostrip_accents")),
    "chinese": Journey("zh/*_zh*.txt.xz", "Chinese Wikipedia and classics -> ChnSentiCorp", chnsenticorp,
                       text_columns="text", vocabulary_size=16000),
}


def run(job, *flags):
    """Runs a job; seconds it took."""
    began = time.monotonic()
    subprocess.run([sys.executable, str(ROOT / "experiments" / f"{job}.py"), *flags], cwd=ROOT, check=True)
    return time.monotonic() - began


def travel(name, data, folder):
    """All stations of one journey; its row of the table."""
    journey = JOURNEYS[name]
    corpus = f"--corpus={data / 'pretrain' / journey.corpus}"
    seconds = {"vocabulary": run("build_vocabulary", corpus, f"--vocabulary_size={journey.vocabulary_size}",
                                 f"--output={folder / 'vocabulary'}", *journey.vocabulary_flags)}
    seconds["records"] = run("build_pretraining_data", corpus, f"--vocabulary={folder / 'vocabulary'}",
                             "--sequence_length=64", f"--output={folder / 'records'}", "--workers=2")
    seconds["pretraining"] = run("pretrain", f"--data={folder / 'records'}", "--preset=tiny",
                                 f"--train_steps={journey.train_steps}", f"--output={folder / 'run'}")
    labelled = journey.labelled(data, folder)
    accuracy = {}
    for arm, flags in (("pretrained", ()), ("random weights", ("--random_weights",))):
        output = folder / arm.replace(" ", "_")
        seconds[f"fine-tuning, {arm}"] = run(
            "finetune", "--task=text_classification", f"--text_columns={journey.text_columns}",
            *(f"--{part}={path}" for part, path in labelled.items()), "--label_column=label",
            f"--model={folder / 'run'}", f"--output={output}", *journey.fine_tuning_flags, *flags)
        accuracy[arm] = json.loads((output / "result.json").read_text())["median"]
    commit = json.loads((folder / "run" / "versions.json").read_text()).get("git_commit")
    manifest = json.loads((folder / "records" / "manifest.json").read_text())["splits"]["train"]
    last = json.loads((folder / "run" / "result.json").read_text())["validation"]
    row = {"corpus -> task": journey.what, "tokens": f"{manifest['kept_tokens'] / 1e6:.1f} M",
           "[UNK]": f"{manifest['unknown_rate']:.2%}",
           "pretraining": f"{seconds['pretraining'] / 60:.0f} minutes, {last['tokens'] / 1e6:.1f} M tokens",
           "generator loss": round(last["generator_loss"], 2),
           "test accuracy": f"{accuracy['pretrained']:.1%}", "random weights": f"{accuracy['random weights']:.1%}"}
    return {"table": "walkthrough", "row": row, "command": "python benchmarks/walkthrough.py ../shared/data",
            "machine": "2 CPU cores, other work beside", "commit": commit, "seconds": seconds}


def main(data, *names):
    for name in names or JOURNEYS:
        path = RESULTS / f"walkthrough-{name}.json"
        if path.is_file():
            continue
        with tempfile.TemporaryDirectory() as folder:
            result = travel(name, pathlib.Path(data).resolve(), pathlib.Path(folder))
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
