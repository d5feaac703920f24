"""Runs in the environment of PyTorch and transformers: does what a list of tasks in JSON says, writes arrays.

    .venv-torch/bin/python tests/interoperability/with_transformers.py TASKS.json

"load": AutoModel... reads a folder and answers inputs; "tokenize": AutoTokenizer reads a folder and cuts up texts;
"make_bert": writes a folder with a random BERT, as `save_pretrained` does, and its answers.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import transformers


def load(task):
    """Writes every hidden state and the outputs of the head; any key that is missing or left over is an error."""
    model, report = getattr(transformers, task["class"]).from_pretrained(task["folder"], output_loading_info=True)
    problems = {name: sorted(map(str, report[name])) for name in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    assert not any(problems.values()), problems
    answer(model, task, extra={"class_name": type(model).__name__})


def answer(model, task, *, extra):
    with np.load(task["inputs"]) as file:
        inputs = {name: torch.tensor(file[name].astype(np.int64)) for name in file.files}
    model.eval()
    with torch.no_grad():
        outputs = model(**inputs, output_hidden_states=True)
    arrays = {f"hidden_states_{number}": state.numpy() for number, state in enumerate(outputs.hidden_states)}
    arrays |= {name: outputs[name].numpy() for name in ("logits", "start_logits", "end_logits", "last_hidden_state")
               if name in outputs}
    np.savez(task["outputs"], **arrays, **extra)


def tokenize(task):
    tokenizer = transformers.AutoTokenizer.from_pretrained(task["folder"])
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in task["texts"]]
    pair = tokenizer("a", "b")
    pathlib.Path(task["outputs"]).write_text(json.dumps({
        "ids": ids, "pair": [pair["input_ids"], pair["token_type_ids"]], "mask": tokenizer.mask_token_id}))


def make_bert(task):
    torch.manual_seed(3)
    config = transformers.BertConfig(**task["settings"])
    model = getattr(transformers, task["class"])(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(task["folder"])
    if task["as_bin"]:
        folder = pathlib.Path(task["folder"])
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    answer(model, task, extra={})


def main(tasks):
    for task in json.loads(pathlib.Path(tasks).read_text()):
        {"load": load, "tokenize": tokenize, "make_bert": make_bert}[task["what"]](task)


if __name__ == "__main__":
    main(*sys.argv[1:])
