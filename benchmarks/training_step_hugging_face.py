"""Worker of training_step.py: the same pretraining step, composed of Hugging Face's networks in PyTorch.

Runs in an environment that has torch and transformers (.venv-torch) and imports nothing of this package. Masking and
sampling are written the way that was fastest in PyTorch; the generator's head sees the masked positions alone.
"""

import contextlib
import os
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
import transformers

from benchmarks.alternation import forget_peak_memory, serve, timed_steps
from benchmarks.matmul_peak import matmul_peak

BATCH_FILE = "batch.npz"
_EPSILON = 1e-6


class JointModel(torch.nn.Module):
    """Generator and discriminator with shared embeddings, and ELECTRA's loss of one batch.

    Args:
        folder: holds both as Hugging Face folders.
        special_ids: dict of cls, sep and mask.
        masking: dict of mask_rate, mask_symbol_rate and slots.
        dropout: rate of both networks.
    """

    def __init__(self, folder, *, special_ids, masking, dropout):
        super().__init__()
        rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
        self.discriminator = transformers.ElectraForPreTraining.from_pretrained(
            pathlib.Path(folder) / "discriminator", **rates)
        self.generator = transformers.ElectraForMaskedLM.from_pretrained(pathlib.Path(folder) / "generator", **rates)
        self.generator.electra.embeddings = self.discriminator.electra.embeddings
        self.generator.generator_lm_head.weight = self.discriminator.electra.embeddings.word_embeddings.weight
        self.special_ids, self.masking = special_ids, masking

    def mask(self, token_ids, padding_mask):
        """(generator's input, positions, which slots are in use), positions drawn without replacement."""
        is_candidate = padding_mask.bool()
        for name in ("cls", "sep", "mask"):
            is_candidate &= token_ids != self.special_ids[name]
        slots = self.masking["slots"]
        noise = torch.rand(token_ids.shape).masked_fill_(~is_candidate, -1.0)
        positions = noise.topk(slots, dim=1).indices
        wanted = (padding_mask.sum(1) * self.masking["mask_rate"]).round().clamp_(1, slots)
        wanted = torch.minimum(wanted, is_candidate.sum(1))
        is_masked = torch.arange(slots)[None, :] < wanted[:, None]
        shows_symbol = is_masked & (torch.rand(positions.shape) < self.masking["mask_symbol_rate"])
        symbols = torch.where(shows_symbol, self.special_ids["mask"], token_ids.gather(1, positions))
        return token_ids.scatter(1, positions, symbols), positions, is_masked

    def forward(self, token_ids, segment_ids, padding_mask, drawn=None):
        """(generator's loss, discriminator's loss).

        Args:
            token_ids, segment_ids, padding_mask: int64 [batch, length].
            drawn: (masked_ids, positions, is_masked, sampled_ids) to take instead of drawing them.
        """
        sampled_ids = None
        if drawn is None:
            masked_ids, positions, is_masked = self.mask(token_ids, padding_mask)
        else:
            masked_ids, positions, is_masked, sampled_ids = drawn
        original_ids = token_ids.gather(1, positions)
        hidden = self.generator.electra(
            masked_ids, attention_mask=padding_mask, token_type_ids=segment_ids).last_hidden_state
        hidden = hidden.gather(1, positions[..., None].expand(-1, -1, hidden.shape[-1]))
        logits = self.generator.generator_lm_head(self.generator.generator_predictions(hidden)).float()
        losses = F.cross_entropy(logits.flatten(0, 1), original_ids.flatten(), reduction="none")
        generator_loss = (losses * is_masked.flatten()).sum() / (is_masked.sum() + _EPSILON)
        if sampled_ids is None:
            sampled_ids = sample(logits.detach())
        corrupted_ids = token_ids.scatter(1, positions, torch.where(is_masked, sampled_ids, original_ids))
        judged = self.discriminator(corrupted_ids, attention_mask=padding_mask, token_type_ids=segment_ids).logits
        losses = F.binary_cross_entropy_with_logits(
            judged.float(), (corrupted_ids != token_ids).float(), reduction="none")
        return generator_loss, (losses * padding_mask).sum() / (padding_mask.sum() + _EPSILON)


def sample(logits):
    """One id for each row of logits, by the cumulative distribution: a third of the time of torch.multinomial."""
    cumulative = logits.softmax(-1).cumsum(-1)
    threshold = torch.rand([*logits.shape[:-1], 1]) * cumulative[..., -1:]
    return torch.searchsorted(cumulative, threshold)[..., 0].clamp_(max=logits.shape[-1] - 1)


def product_of(dtype):
    """What `matmul_peak` asks for, by PyTorch."""
    def make(rows, inner, columns):
        left, right = torch.randn(rows, inner).to(dtype), torch.randn(inner, columns).to(dtype)
        return lambda: torch.mm(left, right)
    return make


class PeersStep:
    """The commands of this worker."""

    def build(self, folder, settings, training, is_compiled, precision):
        """Makes the step.

        Args:
            folder: what the worker of this package has prepared.
            settings: dict of dropout, special_ids and masking.
            training: dict of learning_rate, weight_decay, clip_norm, generator_weight and discriminator_weight.
            is_compiled: whether torch.compile runs it.
            precision: "float32", "bfloat16" (autocast) or "bfloat16_weights" (weights and moments, too).
        """
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        torch.manual_seed(0)
        self.training, self.precision = training, precision
        self.model = JointModel(folder, **settings)
        if precision == "bfloat16_weights":
            self.model.to(torch.bfloat16)
        decayed = {True: [], False: []}
        for name, weight in self.model.named_parameters():
            decayed["LayerNorm" not in name and "bias" not in name].append(weight)
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed[True], "weight_decay": training["weight_decay"]},
             {"params": decayed[False], "weight_decay": 0.0}],
            lr=training["learning_rate"], eps=_EPSILON, fused=True)
        self.loss_of = torch.compile(self.model, dynamic=False) if is_compiled else self.model
        arrays = np.load(pathlib.Path(folder) / BATCH_FILE)
        self.batch = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        for name, values in self.batch.items():
            self.batch[name] = values if values.dtype == torch.bool else values.long()
        return {"torch": torch.__version__, "transformers": transformers.__version__,
                "attention": self.model.discriminator.config._attn_implementation,
                "allocator": os.environ.get("LD_PRELOAD", "")}

    def losses(self):
        """Losses and gradient norm of the prepared batch, dropout off."""
        self.model.eval()
        drawn = tuple(self.batch[name] for name in ("masked_ids", "positions", "is_masked", "sampled_ids"))
        generator_loss, discriminator_loss = self._backward(drawn)
        norm = torch.nn.utils.get_total_norm([weight.grad.float() for weight in self.model.parameters()])
        return {"generator_loss": generator_loss.item(), "discriminator_loss": discriminator_loss.item(),
                "gradient_norm": norm.item()}

    def warm_up(self, steps):
        """Steps that are not measured; the first compiles."""
        self.model.train()
        self._train(steps)
        forget_peak_memory()
        return {}

    def round(self, steps):
        return timed_steps(self._train, steps)

    def peak(self, precision):
        """FLOP/s that PyTorch's product of large matrices reaches."""
        return {"peak": matmul_peak(product_of(getattr(torch, precision)))}

    def _backward(self, drawn=None):
        self.optimizer.zero_grad(set_to_none=True)
        autocast = torch.autocast("cpu", torch.bfloat16) if self.precision == "bfloat16" else contextlib.nullcontext()
        with autocast:
            losses = self.loss_of(
                self.batch["token_ids"], self.batch["segment_ids"], self.batch["padding_mask"], drawn)
        (self.training["generator_weight"] * losses[0] + self.training["discriminator_weight"] * losses[1]).backward()
        return losses

    def _train(self, steps):
        for _ in range(steps):
            self._backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.training["clip_norm"])
            self.optimizer.step()


if __name__ == "__main__":
    step = PeersStep()
    serve({command: getattr(step, command) for command in ("build", "losses", "warm_up", "round", "peak")})
