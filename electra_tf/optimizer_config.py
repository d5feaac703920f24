"""Settings of the optimizer; `electra_tf.config` has them too."""

import dataclasses

from electra_tf.settings import require, require_one_of, require_whole_numbers, setting

CLIP_ROWS = ("merged", "separate")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """AdamW as the original has it: no bias correction, warm-up times linear decay, clip by global norm.

    >>> OptimizerConfig(learning_rate=2e-4, warmup_steps=10_000).clip_norm   # 1.0
    """

    learning_rate: float = setting(5e-4, "peak learning rate")
    warmup_steps: int = setting(10_000, "updates over which the learning rate rises from 0")
    weight_decay: float = setting(0.01, "decoupled weight decay; biases and LayerNorm are left out")
    beta_1: float = setting(0.9, "decay of the first moment")
    beta_2: float = setting(0.999, "decay of the second moment")
    epsilon: float = setting(1e-6, "added to the root of the second moment")
    clip_norm: float = setting(1.0, "largest global gradient norm, applied after summing over replicas")
    bias_correction: bool = setting(False, "correct the moments for their start at zero, as Adam's paper has it")
    layer_decay: float = setting(1.0, "learning rate factor from one layer to the one below; 1 switches it off")
    layer_decay_offset: int = setting(1, "levels from the task head down to the last layer: 1, or 2 as in the "
                                         "original, which counts a pooler that ELECTRA lacks")
    decay_power: float = setting(1.0, "the rate falls with this power of the share of updates that are left")
    first_step: int = setting(0, "step whose rate the first update has: 0 (none under warm-up), or 1, which the "
                                 "original may take, as nothing in its graph orders reading and counting")
    clip_rows: str = setting("merged", "what the norm for clipping sees of the word embeddings' gradient: merged "
                                       "rows, or separate ones as in the original on GPUs where nothing ties the table")
    word_embeddings_rate: float = setting(1.0, "learning rate factor of the word embeddings, 0..1; 0 keeps them as "
                                               "they start")

    def __post_init__(self):
        require(0 <= self.word_embeddings_rate <= 1,
                 f"word_embeddings_rate={self.word_embeddings_rate} must lie in [0, 1]; 1 is the others' rate.")
        require(self.learning_rate > 0, f"learning_rate={self.learning_rate} must be above 0.")
        require_whole_numbers(self, ("warmup_steps",), least=0)
        require(self.weight_decay >= 0, f"weight_decay={self.weight_decay} must not be negative.")
        for name in ("beta_1", "beta_2"):
            require(0 <= getattr(self, name) < 1, f"{name}={getattr(self, name)} must lie in [0, 1).")
        require(self.epsilon > 0, f"epsilon={self.epsilon} must be above 0.")
        require(self.clip_norm > 0, f"clip_norm={self.clip_norm} must be above 0; a large number means no clipping.")
        require(0 < self.layer_decay <= 1, f"layer_decay={self.layer_decay} must lie in (0, 1]; 1 switches it off.")
        require(self.layer_decay_offset in (1, 2), f"layer_decay_offset={self.layer_decay_offset} must be 1 or 2.")
        require(self.decay_power > 0, f"decay_power={self.decay_power} must be above 0; 1 is linear.")
        require(self.first_step in (0, 1), f"first_step={self.first_step} must be 0 or 1.")
        require_one_of(self, "clip_rows", CLIP_ROWS)
