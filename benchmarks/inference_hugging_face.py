"""Worker of inference.py: Hugging Face's networks and fast tokenizer, where torch and transformers are installed.

Texts are padded to the longest of their batch, up to the next multiple of 8. torch.compile gets the shapes of the ids
as constants and those of texts as variables: a program for each length would take many minutes to make.
"""

import os
import pathlib

import torch
import transformers

from benchmarks.alternation import serve
from benchmarks.inference_workloads import LENGTH, WORKLOADS, batches_of, inputs_of, seconds_of_calls


class HuggingFace:
    """The commands of this worker."""

    def build(self, folder, precision, is_compiled):
        """Loads both networks; `precision` is that of the weights and of everything else."""
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        folder, dtype = pathlib.Path(folder), getattr(torch, precision)
        self.inputs = inputs_of(folder)
        models = folder / "huggingface"
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(models / "classifier")
        discriminator = transformers.ElectraForPreTraining.from_pretrained(models / "discriminator", dtype=dtype)
        classifier = transformers.ElectraForSequenceClassification.from_pretrained(
            models / "classifier", dtype=dtype)
        self.labels = classifier.config.id2label
        self.discriminator, self.classifier = discriminator.eval(), classifier.eval()
        if is_compiled:
            self.discriminator = torch.compile(self.discriminator, dynamic=False)
            self.classifier = torch.compile(self.classifier, dynamic=True)
        return {"torch": torch.__version__, "transformers": transformers.__version__,
                "attention": classifier.config._attn_implementation, "allocator": os.environ.get("LD_PRELOAD", "")}

    @torch.inference_mode()
    def judge(self, ids):
        """Logits of a batch of ids, float32 numpy."""
        return self.discriminator(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.float().numpy()

    @torch.inference_mode()
    def classify(self, texts):
        """For each text its label, and the probability of each by name."""
        encoded = self.tokenizer(texts, truncation=True, max_length=LENGTH, padding=True, pad_to_multiple_of=8,
                                 return_tensors="pt")
        probabilities = self.classifier(**encoded).logits.float().softmax(-1)
        return [(self.labels[best], dict(zip(self.labels.values(), row, strict=True))) for best, row in zip(
            probabilities.argmax(-1).tolist(), probabilities.tolist(), strict=True)]

    def answers(self):
        """As of the other side."""
        return {"ids": torch.from_numpy(self.judge(torch.tensor(self.inputs["ids"]))).sigmoid().tolist(),
                **{name: [probabilities[self.labels[1]] for _, probabilities in self.classify(self.inputs[name])]
                   for name in ("sentences", "reviews")}}

    def round(self, workload, calls):
        """As of the other side."""
        workload = WORKLOADS[workload]
        batches = batches_of(workload, self.inputs)
        if not workload.is_text:
            batches = list(map(torch.tensor, batches))
        answer = self.classify if workload.is_text else self.judge
        return {workload.name: seconds_of_calls(answer, batches, calls)}


if __name__ == "__main__":
    peer = HuggingFace()
    serve({command: getattr(peer, command) for command in ("build", "answers", "round")})
