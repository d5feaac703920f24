"""Everything before training, in one table: building records, tokenizing, learning a vocabulary.

    python benchmarks/data.py --data=../shared/data/pretrain --output=FILE.json [--megabytes=100]

Runs builder_speed.py, tokenizer_speed.py and vocabulary_speed.py one after the other; each says how it measures. A
vocabulary is learned from wiki_en and, where that is not text enough, novels_en and novels_de. Prints the rows of all
and writes them into one file.
"""

import argparse
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

from benchmarks.alternation import ROOT, describe_machine
from benchmarks.markdown_table import markdown
from electra_tf.files import write_json_atomically

CORPORA = ("wiki_en/train-*.txt.xz", "novels_en/train-*.txt.xz", "novels_de/train-*.txt.xz")


def jobs(data, *, megabytes, runs):
    """Script and arguments of every measurement.

    Args:
        data: folder that holds CORPORA.
        megabytes: text to learn a vocabulary from.
        runs: measured runs of each.
    """
    wikipedia, *_ = corpora = [str(data / corpus) for corpus in CORPORA]
    return [("builder_speed.py", [wikipedia, f"--runs={runs}"]),
            ("tokenizer_speed.py", [str(data), f"--runs={runs}"]),
            ("vocabulary_speed.py", [*corpora, f"--runs={runs}", f"--megabytes={megabytes:g}"])]


def tables(results):
    """Markdown of results, one table for each name; a list of runs shows its lowest and highest value."""
    results, found = list(results), []
    for name in dict.fromkeys(result["table"] for result in results):
        rows = [result["row"] for result in results if result["table"] == name]
        columns = list(dict.fromkeys(column for row in rows for column in row))
        found.append(f"### {name}\n\n" + markdown(
            [columns, *([shown(row.get(column, "")) for column in columns] for row in rows)]))
    return "\n\n".join(found)


def rates(results):
    """All columns in MB/s in one row.

    >>> rates({"builder-one": {"row": {"workers": 1, "MB/s": [4.0, 4.5]}}})   # {'builder-one, MB/s': '4.0-4.5'}
    """
    return {f"{name}, {column}": shown(value) for name, result in results.items()
            for column, value in result["row"].items() if column.endswith("MB/s")}


def without_command(result):
    """A result without the command that wrote it into a folder that is gone.

    >>> without_command({"row": {}, "command": "python ..."})   # {'row': {}}
    """
    return {name: value for name, value in result.items() if name != "command"}


def shown(value):
    """A cell: 4.0-4.5 for a list of runs.

    >>> shown([4.5, 4.0])   # '4.0-4.5'
    """
    return f"{min(value)}-{max(value)}" if isinstance(value, list) else str(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--megabytes", type=float, default=100, help="text to learn a vocabulary from")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for script, arguments in jobs(options.data, megabytes=options.megabytes, runs=options.runs):
            command = [sys.executable, ROOT / "benchmarks" / script, *arguments, f"--results={folder}"]
            subprocess.run(command, check=True, stdout=sys.stderr)
        results = {path.stem: without_command(json.loads(path.read_text(encoding="utf-8")))
                   for path in sorted(pathlib.Path(folder).glob("*.json"))}
    write_json_atomically(options.output, {
        "table": "data", "row": rates(results), "command": "python " + shlex.join(sys.argv),
        "machine": describe_machine(), "results": results})
    print(tables(results.values()))


if __name__ == "__main__":
    main()
