"""Fine-tunes a BERT encoder with PyTorch and transformers: the other side of minilm_finetuning.py, in .venv-torch.

    .venv-torch/bin/python benchmarks/minilm_in_transformers.py TRIAL.json ANSWER.json

The head is that of the original ELECTRA: the first token's state, dropout, one dense layer.
"""

import copy
import json
import random
import sys

import torch
import transformers


class AdamWithoutCorrection(torch.optim.Optimizer):
    """AdamW with moments that are not corrected for their start at zero, as BERT and ELECTRA are trained with."""

    def __init__(self, groups, *, betas=(0.9, 0.999), epsilon=1e-6):
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0})
        self.betas, self.epsilon = betas, epsilon

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for weight in group["params"]:
                moments = self.state[weight]
                if not moments:
                    moments["first"], moments["second"] = torch.zeros_like(weight), torch.zeros_like(weight)
                moments["first"].lerp_(weight.grad, 1 - self.betas[0])
                moments["second"].lerp_(weight.grad ** 2, 1 - self.betas[1])
                update = moments["first"] / (moments["second"].sqrt() + self.epsilon) + group["weight_decay"] * weight
                weight -= group["lr"] * update


class Classifier(torch.nn.Module):
    """The encoder and a dense layer on its first token."""

    def __init__(self, folder, *, dropout, num_labels):
        super().__init__()
        self.encoder = transformers.BertModel.from_pretrained(
            folder, add_pooling_layer=False, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
        self.dropout = torch.nn.Dropout(dropout)
        self.classifier = torch.nn.Linear(self.encoder.config.hidden_size, num_labels)
        torch.nn.init.xavier_uniform_(self.classifier.weight)
        torch.nn.init.zeros_(self.classifier.bias)

    def forward(self, inputs):
        return self.classifier(self.dropout(self.encoder(**inputs).last_hidden_state[:, 0]))


def read(path, tokenizer, length):
    """(encoded texts, labels) of a JSONL file with sentence1, perhaps sentence2, and label."""
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    columns = [name for name in ("sentence1", "sentence2") if name in rows[0]]
    encoded = [tokenizer(*(row[name] for name in columns), truncation=True, max_length=length) for row in rows]
    return encoded, [int(row["label"]) for row in rows]


def batches(encoded, batch, shuffle):
    """A random order in which texts of similar length stand together, as the Trainer's group_by_length makes it."""
    order = shuffle.sample(range(len(encoded)), len(encoded))
    window = 50 * batch
    order = [row for start in range(0, len(order), window)
             for row in sorted(order[start:start + window], key=lambda row: len(encoded[row]["input_ids"]))]
    found = [order[start:start + batch] for start in range(0, len(order), batch)]
    shuffle.shuffle(found)
    return found


def accuracy(model, tokenizer, encoded, labels):
    model.eval()
    order = sorted(range(len(encoded)), key=lambda row: len(encoded[row]["input_ids"]))
    right = 0
    for start in range(0, len(order), 64):
        rows = order[start:start + 64]
        with torch.no_grad():
            guesses = model(tokenizer.pad([encoded[row] for row in rows], return_tensors="pt")).argmax(-1)
        right += sum(int(guess) == labels[row] for guess, row in zip(guesses, rows, strict=True))
    return right / len(labels)


def train(trial):
    """The accuracies of the epoch that is best on the validation set."""
    torch.manual_seed(trial["seed"])
    torch.set_num_threads(trial["threads"])
    shuffle = random.Random(trial["seed"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(trial["model"])
    sets = {name: read(trial[name], tokenizer, trial["sequence_length"]) for name in ("train", "validation", "test")}
    model = Classifier(trial["model"], dropout=trial["dropout"], num_labels=len(set(sets["train"][1])))
    decayed = [weight for name, weight in model.named_parameters() if "LayerNorm" not in name and "bias" not in name]
    kept = [weight for name, weight in model.named_parameters() if "LayerNorm" in name or "bias" in name]
    optimizer = AdamWithoutCorrection([{"params": decayed, "weight_decay": trial["weight_decay"]}, {"params": kept}])
    encoded, labels = sets["train"]
    batch = trial["batch_size"]
    steps = -(-len(labels) // batch) * trial["epochs"]
    warmup = round(trial["warmup_proportion"] * steps)
    step, best, best_weights = 0, -1.0, None
    for _ in range(trial["epochs"]):
        for rows in batches(encoded, batch, shuffle):
            model.train()
            logits = model(tokenizer.pad([encoded[row] for row in rows], return_tensors="pt"))
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor([labels[row] for row in rows]))
            model.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), trial["clip_norm"])
            for group in optimizer.param_groups:
                group["lr"] = trial["learning_rate"] * (1 - step / steps) * min(1.0, step / warmup)
            optimizer.step()
            step += 1
        score = accuracy(model, tokenizer, *sets["validation"])
        print(f"step {step}: validation accuracy {score:.4f}", flush=True)
        if score > best:
            best, best_weights = score, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_weights)
    return {"validation_accuracy": best, "test_accuracy": accuracy(model, tokenizer, *sets["test"])}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        answer = train(json.load(file))
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump({**answer, "torch": torch.__version__, "transformers": transformers.__version__}, file)
