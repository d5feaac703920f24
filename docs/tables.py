"""Prints the tables of the README and the guides from what they describe, in place: python docs/tables.py

Presets come from electra_tf.config, results from benchmarks/results/*.json, one file for each result:
{"table": ..., "row": {column: text or number or list of trials}, "command": ..., "machine": ...}; "rows" hold several.
"""

import json
import os
import pathlib
import re
import statistics
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from benchmarks.markdown_table import markdown
from electra_tf.config import PRESETS
from electra_tf.training.pretrainer import ElectraPretrainer

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *(ROOT / "docs" / name for name in (
    "coming_from_other_libraries.md", "fine_tuning_options.md", "long_texts.md", "recipes.md", "serving.md", "speed.md",
    "walkthrough.md"))]
RESULTS = ROOT / "benchmarks" / "results"


def presets_table():
    """Markdown table of every preset with the sizes counted on the model itself."""
    rows = [("preset", "layers", "width", "heads", "embedding", "generator", "length", "batch", "rate", "mask rate",
             "discriminator", "all weights")]
    for name, preset in PRESETS.items():
        with tf.Graph().as_default():  # shapes only, no memory
            weights = ElectraPretrainer(preset.model).weights_by_name()
        sizes = {key: int(np.prod(variable.shape)) for key, variable in weights.items()}
        discriminator = sum(size for key, size in sizes.items() if key.startswith("discriminator/"))
        model, generator = preset.model, preset.model.generator
        rows.append((name, model.num_layers, model.hidden_size, model.num_heads, model.embedding_size,
                     f"{generator.num_layers} x {generator.hidden_size}", preset.sequence_length, preset.batch_size,
                     f"{preset.optimizer.learning_rate:g}", f"{preset.masking.mask_rate:g}",
                     f"{discriminator / 1e6:.1f} M", f"{sum(sizes.values()) / 1e6:.1f} M"))
    return markdown(rows)


def results_table(table):
    """Markdown table of the results of one name, in the order of their files, and the commands that gave them.

    Lists of trials are shown as mean ± standard deviation (count).
    """
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    results = [result for result in results if result["table"] == table]
    if not results:
        return "No result yet."
    rows = [row for result in results for row in result.get("rows") or [result["row"]]]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = markdown([columns, *([shown(row.get(column, "")) for column in columns] for row in rows)])
    commands = list(dict.fromkeys(f"`{result['command']}` ({result['machine']})" for result in results))
    told = f"Measured by {commands[0]}." if len(commands) == 1 else "\n".join(
        ["Measured by", "", *(f"- {command}" for command in commands)])
    return "\n\n".join([cells, told])


def shown(value):
    """A cell: text as it is, a number in short, a list of numbers as mean ± standard deviation (count)."""
    if isinstance(value, list):
        spread = f" ± {statistics.stdev(value):.1f}" if len(value) > 1 else ""
        return f"{statistics.mean(value):.1f}{spread} ({len(value)})"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def with_tables(text):
    """The text with every `<!-- table: NAME -->` ... `<!-- end -->` filled anew."""
    def fill(match):
        name = match.group(1)
        table = presets_table() if name == "presets" else results_table(name)
        return f"<!-- table: {name} -->\n{table}\n<!-- end -->"
    return re.sub(r"<!-- table: (.+?) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def main():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        filled = with_tables(text)
        if "--check" not in sys.argv[1:]:
            page.write_text(filled, encoding="utf-8")
        elif filled != text:
            sys.exit(f"{page.name}: a table is not what docs/tables.py prints; run it without --check.")


if __name__ == "__main__":
    main()
