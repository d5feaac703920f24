"""Frozen settings, checked when they are made; plain data that knows no TensorFlow and no class of ours.

Every default lives here and nowhere else. Job flags are made from the fields (name, default, help), and
`to_dict` / `from_dict` carry the same fields through JSON.
"""

import dataclasses
import math

from electra_tf.augmentation_config import AugmentationConfig
from electra_tf.optimizer_config import CLIP_ROWS, OptimizerConfig
from electra_tf.presets import PRESET_SETTINGS, RECIPE_SETTINGS
from electra_tf.settings import (
    from_dict,
    merged,
    replace,
    require,
    require_one_of,
    require_whole_numbers,
    seconds_of,
    setting,
    unknown_name_error,
)
from electra_tf.settings import read_json as read_json
from electra_tf.settings import to_dict as to_dict
from electra_tf.settings import with_overrides as with_overrides

POSITION_TYPES = ("learned", "sinusoidal", "relative")


ACTIVATIONS = ("gelu", "gelu_tanh")
POSITION_EXTENSIONS = ("none", "copy", "interpolation")


@dataclasses.dataclass(frozen=True)
class ElectraConfig:
    """Architecture of one ELECTRA: the discriminator, and its generator as fractions of it (recipe: paper, section 3).

    >>> ElectraConfig(hidden_size=256, generator_size=0.25).generator.hidden_size   # 64
    """

    vocabulary_size: int = setting(30522, "number of pieces in the vocabulary; always taken from the vocabulary file")
    embedding_size: int = setting(128, "width of the token, position and segment embeddings")
    hidden_size: int = setting(256, "width of the encoder's hidden states")
    num_layers: int = setting(12, "number of transformer layers")
    num_heads: int = setting(4, "number of attention heads; divides hidden_size")
    intermediate_size: int = setting(1024, "width of the feed-forward layer")
    max_positions: int = setting(512, "number of learned positions: the longest input")
    num_segments: int = setting(2, "number of segment types")
    hidden_dropout: float = setting(0.1, "dropout rate of embeddings and layer outputs, 0..1")
    attention_dropout: float = setting(0.1, "dropout rate of attention probabilities, 0..1")
    layer_norm_epsilon: float = setting(1e-12, "added to the variance in every LayerNorm")
    activation: str = setting("gelu", "feed-forward layers and discriminator head: gelu (exact, as the original) or "
                                      "gelu_tanh (its tanh approximation, as KerasHub)")
    has_tied_output: bool = setting(True, "the generator's output matrix is the word table, as in the original")
    initializer_range: float = setting(0.02, "standard deviation of the truncated normal that starts the weights")
    generator_size: float = setting(0.25, "generator width as a fraction of hidden_size")
    generator_depth: float = setting(1.0, "generator layers as a fraction of num_layers")
    position_type: str = setting("learned", "learned positions; sinusoidal, a fixed table; or relative, a learned bias "
                                            "of each head for each distance up to 32")
    position_extension: str = setting("none", "how rows were added to a trained position table: none, copy or "
                                              "interpolation; convert_checkpoint.py does it and writes it here")
    embedding_gate: bool = setting(False, "multiply the embeddings by a learned sigmoid gate of themselves")
    drop_connect: float = setting(0.0, "rate at which entries of the attention output's and the feed-forward kernels "
                                       "are dropped in training, 0..1")

    def __post_init__(self):
        require_one_of(self, "position_type", POSITION_TYPES)
        require_whole_numbers(self, ("vocabulary_size", "embedding_size", "hidden_size", "num_layers", "num_heads",
                                      "intermediate_size", "max_positions", "num_segments"))
        require(self.hidden_size % self.num_heads == 0,
                 f"num_heads={self.num_heads} must divide hidden_size={self.hidden_size} without remainder.")
        for name in ("hidden_dropout", "attention_dropout", "drop_connect"):
            value = getattr(self, name)
            require(0 <= value < 1, f"{name}={value} must lie in [0, 1); 0.1 drops 10 %.")
        require_one_of(self, "activation", ACTIVATIONS)
        require_one_of(self, "position_extension", POSITION_EXTENSIONS)
        for name in ("layer_norm_epsilon", "initializer_range"):
            require(getattr(self, name) > 0, f"{name}={getattr(self, name)} must be above 0.")
        for name in ("generator_size", "generator_depth"):
            value = getattr(self, name)
            require(0 < value <= 1, f"{name}={value} must lie in (0, 1]: a fraction of the discriminator.")

    @property
    def head_size(self):
        return self.hidden_size // self.num_heads

    @property
    def generator(self):
        """The generator's architecture; heads and feed-forward width follow from its width, as in the original.

        Heads are 64 wide, or a little wider where 64 does not divide the width.
        """
        hidden_size = max(1, int(round(self.hidden_size * self.generator_size)))
        num_heads = next(heads for heads in range(max(1, hidden_size // 64), 0, -1) if hidden_size % heads == 0)
        return dataclasses.replace(
            self, hidden_size=hidden_size, intermediate_size=4 * hidden_size, num_heads=num_heads,
            num_layers=max(1, int(round(self.num_layers * self.generator_depth))),
            generator_size=1.0, generator_depth=1.0)

    @classmethod
    def from_preset(cls, name, **overrides):
        """The architecture of a named preset, with any field replaced.

        Args:
            name: a key of `electra_tf.PRESETS`.
            **overrides: fields of ElectraConfig; `vocabulary_size` is the usual one.

        >>> ElectraConfig.from_preset("small", vocabulary_size=8192).hidden_size   # 256
        """
        return replace(preset(name).model, **overrides)


MASK_SAMPLINGS = ("without_replacement", "with_replacement")
REPEATED_POSITIONS = ("first", "average")
SAMPLERS = ("cumulative", "gumbel")


@dataclasses.dataclass(frozen=True)
class MaskingConfig:
    """How tokens are chosen for the generator, and how its samples are drawn (paper, section 3.1).

    >>> MaskingConfig(mask_rate=0.25).max_masked(128)   # 32
    """

    mask_rate: float = setting(0.15, "fraction of the tokens that the generator must predict, 0..1")
    mask_symbol_rate: float = setting(0.85, "fraction of the chosen tokens shown as [MASK]; the others stay visible")
    temperature: float = setting(1.0, "divides the generator's logits before sampling")
    mask_sampling: str = setting("without_replacement", "without_replacement, or with_replacement as in the original's "
                                                        "code, where 7 to 12 % of the tokens are drawn twice")
    repeated_positions: str = setting("first", "which sample a token that was drawn twice gets: the first, or the "
                                               "average of the ids as in the original's code, which is another word")
    sampler: str = setting("cumulative", "how samples are drawn, from the same distribution: cumulative (one random "
                                         "number each), or gumbel as in the original (one for each piece)")
    disallow_correct: bool = setting(False, "never sample the original token")

    def __post_init__(self):
        require_one_of(self, "mask_sampling", MASK_SAMPLINGS)
        require_one_of(self, "repeated_positions", REPEATED_POSITIONS)
        require_one_of(self, "sampler", SAMPLERS)
        require(0 < self.mask_rate < 1, f"mask_rate={self.mask_rate} must lie between 0 and 1; 0.15 masks 15 %.")
        require(0 <= self.mask_symbol_rate <= 1, f"mask_symbol_rate={self.mask_symbol_rate} must lie in [0, 1].")
        require(self.temperature > 0, f"temperature={self.temperature} must be above 0; 1 samples from it as it is.")

    def max_masked(self, sequence_length):
        """Number of slots for masked positions in a row of `sequence_length` tokens (19 for 128 at 15 %)."""
        return max(1, int((self.mask_rate + 0.005) * sequence_length))


OBJECTIVES = ("electra", "electra_15", "mlm", "electric", "replace_mlm", "all_tokens_mlm", "adversarial")
GENERATORS = ("masked", "two_tower", "uniform")
SHARED_PARTS = ("embeddings", "token_position", "nothing", "everything")


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
    """What the networks are trained for, and what they have in common (docs/recipes.md says what each word means).

    >>> ObjectiveConfig(name="electric", generator="two_tower").name   # 'electric'
    """

    name: str = setting("electra", "electra, electra_15, mlm, electric, replace_mlm, all_tokens_mlm or adversarial")
    generator: str = setting("masked", "masked: a masked language model; two_tower: a left-to-right and a "
                                       "right-to-left one; uniform: any piece is as likely as any other")
    shared: str = setting("embeddings", "what both networks share: embeddings, token_position (the paper's), nothing, "
                                        "or everything but the heads")
    freeze_generator: bool = setting(False, "leave the generator as it starts: the second stage of two")
    label_smoothing: float = setting(0.0, "share of the generator's target that is spread over all pieces, 0..1")
    reorder_rate: float = setting(0.0, "share of places at which three tokens are rotated before masking, 0..1")

    def __post_init__(self):
        require_one_of(self, "name", OBJECTIVES)
        require_one_of(self, "generator", GENERATORS)
        require_one_of(self, "shared", SHARED_PARTS)
        for name in ("label_smoothing", "reorder_rate"):
            require(0 <= getattr(self, name) < 1, f"{name}={getattr(self, name)} must lie in [0, 1).")
        require(self.name != "electric" or self.generator == "two_tower",
                f"name='electric' needs generator='two_tower', which tells how likely each token is; found "
                f"generator={self.generator!r}.")
        require(self.name not in ("mlm", "adversarial") or self.generator == "masked",
                f"name={self.name!r} needs generator='masked'; found generator={self.generator!r}.")
        require(self.shared != "everything" or self.generator == "masked",
                f"shared='everything' needs generator='masked'; found generator={self.generator!r}.")
        require(not self.freeze_generator or (self.shared == "nothing" and self.name not in ("mlm", "adversarial")),
                "freeze_generator=True needs shared='nothing' and an objective that trains another network: what is "
                "shared would move.")


def generator_of(model, objective):
    """ElectraConfig of the generator under an objective.

    >>> generator_of(ElectraConfig(), ObjectiveConfig(name="mlm")).hidden_size   # 256, the whole network
    """
    if objective.name == "mlm" or objective.shared == "everything":
        return model
    if objective.shared == "nothing":  # its embeddings are as wide as its layers, as in the original
        return replace(model.generator, embedding_size=model.generator.hidden_size)
    return model.generator


PRECISIONS = ("auto", "float32", "bfloat16")
KERNELS = ("auto", "off")
_KERNELS_HELP = ("auto: fused CPU operations in training where there is a compiler and the processor has the "
                 "instructions; off: TensorFlow's own")
FIRST_EMBEDDINGS = ("random", "cooccurrence")
FIRST_POSITIONS = ("random", "sinusoids")


@dataclasses.dataclass(frozen=True)
class PretrainingConfig:
    """One pretraining run: everything that decides its weights, and how often it saves and reports.

    >>> PretrainingConfig(model=ElectraConfig.from_preset("tiny"), batch_size=64).masking.mask_rate   # 0.15
    """

    model: ElectraConfig = dataclasses.field(default_factory=ElectraConfig)
    masking: MaskingConfig = dataclasses.field(default_factory=MaskingConfig)
    objective: ObjectiveConfig = dataclasses.field(default_factory=ObjectiveConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    sequence_length: int | None = setting(None, "tokens in a row, [CLS] and [SEP] included; left out, the "
                                                "records' length")
    batch_size: int = setting(128, "rows in one update, over all devices and micro-batches")
    train_steps: int = setting(1_000_000, "number of updates of the whole run")
    time_budget: str | None = setting(None, "time of the whole run, such as 90s, 30m or 2h, in place of train_steps: "
                                            "the clock ends the run and the learning rate falls with the time used")
    accumulation_steps: int = setting(1, "micro-batches that a device works through in one update, to save memory")
    generator_weight: float = setting(1.0, "weight of the generator's masked language model loss")
    discriminator_weight: float = setting(50.0, "weight of the discriminator's replaced token loss; 0 trains the "
                                                "generator alone, for a run that --init_from continues")
    first_embeddings: str = setting("random", "what the word embeddings start from: random as in the original, or "
                                              "cooccurrence, factors of how often pieces stand near each other in "
                                              "the records (half a minute that saves a small model hours)")
    first_positions: str = setting("random", "what a learned position table starts from: random as in the original, "
                                             "or sinusoids, with which attention finds the neighbours sooner")
    precision: str = setting("auto", "of activations: float32; bfloat16 (weights and losses stay float32); or auto, "
                                     "bfloat16 where the machine computes with it natively")
    kernels: str = setting("auto", _KERNELS_HELP)
    seed: int = setting(0, "run seed of weights, data order, masks, samples and dropout")
    checkpoint_steps: int = setting(1000, "updates between two checkpoints")
    keep_checkpoints: int = setting(5, "how many of the newest checkpoints are kept")
    log_steps: int = setting(100, "updates between two log lines")
    evaluation_steps: int = setting(1000, "updates between two evaluations on the held-out split")
    evaluation_batches: int = setting(50, "batches in one evaluation")

    def __post_init__(self):
        require_whole_numbers(self, ("batch_size", "train_steps", "accumulation_steps", "checkpoint_steps",
                                      "keep_checkpoints", "log_steps", "evaluation_steps", "evaluation_batches"))
        require_whole_numbers(self, ("seed",), least=0)
        if self.time_budget is not None:
            seconds_of("time_budget", self.time_budget)
        if self.sequence_length is not None:
            require_whole_numbers(self, ("sequence_length",))
            require(self.sequence_length >= 4, f"sequence_length={self.sequence_length} must be 4 or more.")
            require(self.sequence_length <= self.model.max_positions,
                     f"sequence_length={self.sequence_length} exceeds model.max_positions={self.model.max_positions}.")
        require(self.batch_size % self.accumulation_steps == 0,
                 f"accumulation_steps={self.accumulation_steps} must divide batch_size={self.batch_size}.")
        require(self.precision in PRECISIONS, f"precision={self.precision!r} must be one of {', '.join(PRECISIONS)}.")
        require_one_of(self, "kernels", KERNELS)
        require(self.first_embeddings in FIRST_EMBEDDINGS,
                 f"first_embeddings={self.first_embeddings!r} must be one of {', '.join(FIRST_EMBEDDINGS)}.")
        require(self.first_positions in FIRST_POSITIONS,
                 f"first_positions={self.first_positions!r} must be one of {', '.join(FIRST_POSITIONS)}.")
        for name in ("generator_weight", "discriminator_weight"):
            require(getattr(self, name) >= 0, f"{name}={getattr(self, name)} must not be negative.")
        require(self.seed < 2**31, f"seed={self.seed} must lie in [0, 2147483647].")

    @property
    def budget_seconds(self):
        """`time_budget` in seconds, or None."""
        return None if self.time_budget is None else seconds_of("time_budget", self.time_budget)


SCHEDULES = ("linear", "constant", "cosine")


@dataclasses.dataclass(frozen=True)
class FineTuningConfig:
    """One fine-tuning run of a pretrained encoder on a labelled set (original defaults where it has them).

    >>> FineTuningConfig(batch_size=32, epochs=3.0).train_steps(67_349)   # 6315
    """

    sequence_length: int = setting(128, "longest input in tokens")
    batch_size: int = setting(32, "examples in one update")
    epochs: float = setting(3.0, "passes over the training set")
    learning_rate: float = setting(3e-4, "peak learning rate")
    layer_decay: float = setting(0.8, "learning rate factor from one layer to the one below; 1 switches it off")
    weight_decay: float = setting(0.01, "decoupled weight decay; biases and LayerNorm are left out")
    warmup_proportion: float = setting(0.1, "share of the updates over which the learning rate rises from 0")
    clip_norm: float = setting(1.0, "largest global gradient norm")
    dropout: float = setting(0.1, "dropout rate of encoder and task head, 0..1")
    bias_correction: bool = setting(False, "correct Adam's moments for their start at zero; steadier at high rates")
    loss_reduction: str = setting("sum", "sum over the batch as in the original, or mean")
    precision: str = setting("float32", "of activations: float32; bfloat16 (weights and losses stay float32); or auto, "
                                        "bfloat16 where the machine computes with it natively")
    kernels: str = setting("auto", _KERNELS_HELP)
    seed: int = setting(0, "run seed of the new head, the data order and dropout")
    evaluations_per_epoch: int = setting(1, "how often the validation set is scored in one epoch")
    layer_decay_offset: int = setting(1, "levels from the task head down to the last layer; 2 as in the original")
    first_step: int = setting(0, "step whose learning rate the first update has: 0, or 1 as the original may take")
    clip_rows: str = setting("merged", "rows of the word embeddings' gradient in the norm for clipping: merged, or "
                                       "separate as in the original")
    schedule: str = setting("linear", "how the learning rate goes after its rise: linear or cosine to 0, or constant")
    patience: int = setting(0, "evaluations without a new best after which the run ends; 0 runs all epochs")
    lora_rank: int = setting(0, "rank of the LoRA matrices that are trained in place of the encoder; 0 trains it whole")
    frozen_layers: int = setting(0, "how many of the lowest transformer layers stay as they are")
    freeze_embeddings: bool = setting(False, "leave the embeddings and their projection as they are")
    augmentation: AugmentationConfig = dataclasses.field(default_factory=AugmentationConfig)

    def __post_init__(self):
        require_whole_numbers(self, ("sequence_length", "batch_size", "evaluations_per_epoch"))
        require_whole_numbers(self, ("seed", "patience", "lora_rank", "frozen_layers"), least=0)
        require_one_of(self, "schedule", SCHEDULES)
        require(self.epochs > 0, f"epochs={self.epochs} must be above 0.")
        require(self.sequence_length >= 4, f"sequence_length={self.sequence_length} must be 4 or more.")
        require(self.learning_rate > 0, f"learning_rate={self.learning_rate} must be above 0.")
        require(0 < self.layer_decay <= 1, f"layer_decay={self.layer_decay} must lie in (0, 1]; 1 switches it off.")
        require(self.weight_decay >= 0, f"weight_decay={self.weight_decay} must not be negative.")
        require(0 <= self.warmup_proportion <= 1, f"warmup_proportion={self.warmup_proportion} must lie in [0, 1].")
        require(self.clip_norm > 0, f"clip_norm={self.clip_norm} must be above 0.")
        require(0 <= self.dropout < 1, f"dropout={self.dropout} must lie in [0, 1).")
        require(self.layer_decay_offset in (1, 2), f"layer_decay_offset={self.layer_decay_offset} must be 1 or 2.")
        require(self.first_step in (0, 1), f"first_step={self.first_step} must be 0 or 1.")
        require_one_of(self, "clip_rows", CLIP_ROWS)
        require(self.loss_reduction in ("sum", "mean"), f"loss_reduction={self.loss_reduction!r} must be sum or mean.")
        require(self.precision in PRECISIONS, f"precision={self.precision!r} must be one of {', '.join(PRECISIONS)}.")
        require_one_of(self, "kernels", KERNELS)
        require(self.seed < 2**31, f"seed={self.seed} must lie in [0, 2147483647].")

    def train_steps(self, num_examples):
        """Updates of the whole run on `num_examples` examples, the last short batch of an epoch counted as one."""
        return max(1, int(math.ceil(num_examples / self.batch_size) * self.epochs))

    def optimizer(self, train_steps):
        """The OptimizerConfig of a run of `train_steps` updates."""
        return OptimizerConfig(
            learning_rate=self.learning_rate, warmup_steps=int(round(self.warmup_proportion * train_steps)),
            weight_decay=self.weight_decay, clip_norm=self.clip_norm, bias_correction=self.bias_correction,
            layer_decay=self.layer_decay, layer_decay_offset=self.layer_decay_offset, first_step=self.first_step,
            clip_rows=self.clip_rows)


PRESETS = {name: from_dict(PretrainingConfig, settings) for name, settings in PRESET_SETTINGS.items()}


def preset(name):
    """The PretrainingConfig of a named size.

    Args:
        name: a key of PRESETS.

    Returns:
        PretrainingConfig; its `.model` is the architecture.

    Raises:
        InputError: no such preset.

    >>> preset("small").optimizer.learning_rate   # 0.0005
    """
    if name not in PRESETS:
        raise unknown_name_error("preset", name, PRESETS)
    return PRESETS[name]


RECIPES = tuple(RECIPE_SETTINGS)


def with_recipe(config, name):
    """Settings with all that a named recipe says of them; the rest stays as it is.

    Args:
        config: PretrainingConfig or FineTuningConfig.
        name: "ours", "paper" or "original" (docs/recipes.md).

    Raises:
        InputError: no such recipe.

    >>> with_recipe(preset("small"), "original").masking.mask_sampling   # 'with_replacement'
    """
    if name not in RECIPE_SETTINGS:
        raise unknown_name_error("recipe", name, RECIPE_SETTINGS)
    part = "pretraining" if isinstance(config, PretrainingConfig) else "fine_tuning"
    return merged(config, RECIPE_SETTINGS[name][part])
