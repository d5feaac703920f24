"""Pretrains Hugging Face's networks by the clock: the other side of quality_for_time.py, in .venv-torch.

    .venv-torch/bin/python benchmarks/quality_for_time_hugging_face.py SETTINGS.json ANSWER.json

The step is that of training_step_hugging_face.py; the learning rate falls with the time used, as ours does.
"""

import contextlib
import json
import os
import pathlib
import shutil
import sys
import time

import numpy as np
import torch
import transformers

from benchmarks.training_step_hugging_face import JointModel

_EPSILON = 1e-6


def batches(rows, *, batch_size, seed):
    """Endless batches of rows in random order, int64; every epoch holds every row once but for the last few."""
    random = np.random.default_rng(seed)
    count = len(rows["token_ids"])
    while True:
        order = random.permutation(count)
        for start in range(0, count - batch_size + 1, batch_size):
            chosen = order[start:start + batch_size]
            yield [torch.from_numpy(rows[name][chosen]).long() for name in ("token_ids", "segment_ids", "padding_mask")]


def optimizer_of(model, settings):
    """AdamW, without weight decay for biases and LayerNorm."""
    groups = {True: [], False: []}
    for name, weight in model.named_parameters():
        groups["LayerNorm" not in name and "bias" not in name].append(weight)
    return torch.optim.AdamW(
        [{"params": groups[True], "weight_decay": settings["weight_decay"]},
         {"params": groups[False], "weight_decay": 0.0}], lr=settings["learning_rate"], eps=_EPSILON, fused=True)


def rate_at(used, step, settings):
    """The learning rate when a share of the time is used: the schedule of our runs by the clock."""
    warmup = settings["warmup_steps"]
    return settings["learning_rate"] * (1 - used) * (min(1.0, max(step / warmup, 10 * used)) if warmup else 1.0)


def train(settings):
    """Trains until the time is used, writes the discriminator beside its vocabulary; gives the number of updates."""
    began = time.monotonic()
    folder = pathlib.Path(settings["folder"])
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(settings["seed"])
    with np.load(folder / "rows.npz") as arrays:
        rows = {name: arrays[name] for name in arrays.files}
    model = JointModel(folder, special_ids=settings["special_ids"], masking=settings["masking"],
                       dropout=settings["dropout"])
    model.train()
    losses_of = torch.compile(model, dynamic=False) if settings["is_compiled"] else model
    optimizer, step = optimizer_of(model, settings), 0
    for batch in batches(rows, batch_size=settings["batch_size"], seed=settings["seed"]):
        used = (time.monotonic() - began) / settings["seconds"] if settings["steps"] is None else (
            step / settings["steps"])
        if used >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate_at(used, step, settings)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16) if settings["precision"] == "bfloat16" else contextlib.nullcontext():
            generator_loss, discriminator_loss = losses_of(*batch)
        loss = (settings["generator_weight"] * generator_loss + settings["discriminator_weight"] * discriminator_loss)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip_norm"])
        optimizer.step()
        step += 1
    shutil.copytree(folder / "discriminator", folder / "trained")  # with the vocabulary
    model.discriminator.save_pretrained(folder / "trained")
    return {"updates": step, "torch": torch.__version__, "transformers": transformers.__version__}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        answer = train(json.load(file))
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(answer, file)
