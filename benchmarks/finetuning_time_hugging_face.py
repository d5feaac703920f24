"""Worker of finetuning_time.py: Hugging Face's classifier and fast tokenizer, trained by a plain loop in PyTorch.

Batches hold texts of similar length, as the Trainer's group_by_length makes them; a plain loop is faster than it.
"""

import contextlib
import copy
import os
import pathlib
import random
import time

import torch
import transformers

from benchmarks.alternation import serve
from benchmarks.finetuning_time_data import read_data

_BATCHES_PER_WINDOW = 50
_LENGTH_STEP = 8


class HuggingFace:
    """The commands of this worker."""

    def build(self, folder, settings, precision, is_compiled):
        """Reads the data; bfloat16 is autocast in training, and the precision of the weights in prediction."""
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self.folder, self.settings = pathlib.Path(folder) / "huggingface" / "classifier", settings
        self.precision, self.is_compiled = getattr(torch, precision), is_compiled
        self.data = read_data(folder)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(self.folder)
        return {}

    def loss(self):
        """The mean loss of the first texts, without dropout."""
        model, count = self._model().eval(), self.settings["batch_size"]
        encoded = self._encoded(self.data["texts"][:count], self.settings["training_length"])
        with torch.inference_mode(), self._autocast():
            logits = model(**self._padded(encoded)).logits
        return {"loss": torch.nn.functional.cross_entropy(
            logits.float(), torch.tensor(self.data["labels"][:count])).item()}

    def train(self):
        """Seconds from texts to tuned weights."""
        torch.compiler.reset()
        settings, labels = self.settings, torch.tensor(self.data["labels"])
        self.model = self._model().train()
        began, tokens, shuffle = time.perf_counter(), 0, random.Random(0)
        encoded = self._encoded(self.data["texts"], settings["training_length"])
        batches = batches_of_similar_length(encoded, settings["batch_size"], shuffle)
        optimizer, schedule = self._optimizer(len(batches))
        forward = torch.compile(self.model, dynamic=True) if self.is_compiled else self.model
        for rows in batches:
            inputs = self._padded([encoded[row] for row in rows])
            tokens += inputs["input_ids"].numel()
            with self._autocast():
                logits = forward(**inputs).logits
            torch.nn.functional.cross_entropy(logits.float(), labels[rows]).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings["clip_norm"])
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
        return {"training": time.perf_counter() - began, "trained_tokens": tokens}

    @torch.inference_mode()
    def predict(self):
        """Seconds from reviews to labels."""
        torch.compiler.reset()
        began, settings = time.perf_counter(), self.settings
        model = copy.deepcopy(self.model).eval().to(self.precision)
        forward = torch.compile(model, dynamic=True) if self.is_compiled else model
        encoded = self._encoded(self.data["reviews"], settings["predicted_length"])
        order = sorted(range(len(encoded)), key=lambda row: len(encoded[row]["input_ids"]))
        found = [0] * len(order)
        for start in range(0, len(order), settings["predicted_batch_size"]):
            rows = order[start:start + settings["predicted_batch_size"]]
            answers = forward(**self._padded([encoded[row] for row in rows])).logits.argmax(-1).tolist()
            for row, answer in zip(rows, answers, strict=True):
                found[row] = answer
        seconds = time.perf_counter() - began
        right = sum(answer == label for answer, label in zip(found, self.data["review_labels"], strict=True))
        return {"prediction": seconds, "accuracy": right / len(found)}

    def _model(self):
        rate = self.settings["dropout"]
        return transformers.ElectraForSequenceClassification.from_pretrained(
            self.folder, hidden_dropout_prob=rate, attention_probs_dropout_prob=rate, classifier_dropout=rate)

    def _optimizer(self, steps):
        """AdamW that leaves biases and LayerNorm undecayed, and its linear schedule."""
        decayed = {True: [], False: []}
        for name, weight in self.model.named_parameters():
            decayed["LayerNorm" not in name and "bias" not in name].append(weight)
        optimizer = torch.optim.AdamW(
            [{"params": decayed[True], "weight_decay": self.settings["weight_decay"]},
             {"params": decayed[False], "weight_decay": 0.0}],
            lr=self.settings["learning_rate"], eps=1e-6, fused=True)
        warmup = round(self.settings["warmup_proportion"] * steps)
        return optimizer, transformers.get_linear_schedule_with_warmup(optimizer, warmup, steps)

    def _encoded(self, texts, length):
        """A dict of lists for each text."""
        encoded = self.tokenizer(texts, truncation=True, max_length=length)
        return [dict(zip(encoded, values, strict=True)) for values in zip(*encoded.values(), strict=True)]

    def _padded(self, rows):
        return self.tokenizer.pad(rows, pad_to_multiple_of=_LENGTH_STEP, return_tensors="pt")

    def _autocast(self):
        return torch.autocast("cpu", torch.bfloat16) if self.precision == torch.bfloat16 else contextlib.nullcontext()


def batches_of_similar_length(encoded, batch_size, shuffle):
    """All rows once, in random batches in which texts of similar length stand together; list of lists of places."""
    order = shuffle.sample(range(len(encoded)), len(encoded))
    window = batch_size * _BATCHES_PER_WINDOW
    order = [row for start in range(0, len(order), window)
             for row in sorted(order[start:start + window], key=lambda row: len(encoded[row]["input_ids"]))]
    batches = [order[start:start + batch_size] for start in range(0, len(order), batch_size)]
    return shuffle.sample(batches, len(batches))


if __name__ == "__main__":
    peer = HuggingFace()
    serve({command: getattr(peer, command) for command in ("build", "loss", "train", "predict")})
