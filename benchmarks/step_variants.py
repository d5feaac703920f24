"""The variants of a pretraining step that are measured beside each other, as data; nothing heavy is imported here."""

import ctypes.util
import dataclasses
import glob
import sys

from benchmarks.alternation import ROOT, best_instructions
from electra_tf.config import preset, to_dict, with_overrides
from electra_tf.text.pieces import CLS, MASK, SEP, SPECIAL_PIECES

DROPOUT = 0.1  # at every size, on both sides
WARM_UP_STEPS = 3
MATMUL_PRECISIONS = ("float32", "bfloat16")
# Name -> (precision of the matrix products, settings of PretrainingConfig).
OURS = {
    "ours float32": ("float32", ("precision=float32",)),
    "ours bfloat16": ("bfloat16", ("precision=bfloat16",)),
}
OURS_WITHOUT_KERNELS = {
    f"{name}, plain TensorFlow": (precision, (*settings, "kernels=off"))
    for name, (precision, settings) in OURS.items()}
# Name -> (precision of the matrix products, how weights and products are kept, whether torch.compile runs it).
_HUGGING_FACE = {
    f"Hugging Face {told}{', compiled' * is_compiled}": (precision, kept, is_compiled)
    for told, precision, kept in (("float32", "float32", "float32"), ("bfloat16 autocast", "bfloat16", "bfloat16"),
                                  ("bfloat16 weights", "bfloat16", "bfloat16_weights"))
    for is_compiled in (False, True)}


def native_precisions():
    """The precisions that this processor multiplies itself; in others a step takes many times as long."""
    return list(MATMUL_PRECISIONS if best_instructions() in ("AMX", "AVX-512 BF16") else MATMUL_PRECISIONS[:1])


@dataclasses.dataclass(frozen=True)
class Size:
    """What is trained: a preset, and the shape of its batches."""

    preset: str
    sequence_length: int
    batch_size: int

    def config(self, settings=()):
        """PretrainingConfig of a measured step; `settings` as "precision=bfloat16"."""
        base = preset(self.preset)
        return with_overrides(base, (
            f"sequence_length={self.sequence_length}", f"batch_size={self.batch_size}",
            f"model.max_positions={max(base.model.max_positions, self.sequence_length)}",
            f"model.hidden_dropout={DROPOUT}", f"model.attention_dropout={DROPOUT}",
            "first_embeddings=random", "optimizer.word_embeddings_rate=1", *settings))

    @property
    def slots(self):
        """Masked positions of a row."""
        return self.config().masking.max_masked(self.sequence_length)

    def __str__(self):
        return f"{self.preset}, {self.sequence_length} x {self.batch_size}"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One process that takes its turns.

    Attributes:
        name: in tables.
        is_ours: whether it is this package's.
        precision: "float32" or "bfloat16", of the matrix products.
        command: program and arguments.
        start: requests before the first round.
        environment: names -> values.
        is_whole_step: whether it does all that a step is; others are shown and not compared.
        measures_peak: whether it multiplies large matrices in each turn, too.
    """

    name: str
    is_ours: bool
    precision: str
    command: tuple
    start: tuple
    environment: dict = dataclasses.field(default_factory=dict)
    is_whole_step: bool = True
    measures_peak: bool = False


def variants_of(size, *, peers, precisions, interpreters, folder):
    """All variants at a size.

    Args:
        size: Size.
        peers: names out of PEERS.
        precisions: "float32", "bfloat16" or both.
        interpreters: "torch" and "model_garden" -> path of a Python that has torch and transformers, or
            tf-models-official.
        folder: where `prepare_request` has written weights and a batch.

    Returns:
        List of Variant, in the order of their turns.
    """
    found = [*our_variants(size, folder), *(variant for peer in peers
                                            for variant in PEERS[peer](size, folder, interpreters))]
    return [variant for variant in found if variant.precision in precisions]


def our_variants(size, folder):
    """This package's own, with and without the fused operations."""
    common = dataclasses.asdict(size)
    return [Variant(name, True, precision, (sys.executable, ROOT / "benchmarks" / "training_step_ours.py"), (
        {"do": "losses", "folder": str(folder), "size": common, "settings": settings},
        {"do": "build", "size": common, "settings": settings, "warm_up_steps": WARM_UP_STEPS}), measures_peak=True)
        for name, (precision, settings) in (OURS | OURS_WITHOUT_KERNELS).items()]


def prepare_request(size, folder):
    """What a worker of this package is asked first: to write weights and a batch for all."""
    return {"do": "prepare", "folder": str(folder), "size": dataclasses.asdict(size)}


def hugging_face_variants(size, folder, interpreters):
    """The composition in PyTorch, with the faster allocator where the machine has it."""
    config = size.config()
    ids = {name: SPECIAL_PIECES.index(piece) for name, piece in (("cls", CLS), ("sep", SEP), ("mask", MASK))}
    settings = {"dropout": DROPOUT, "special_ids": ids, "masking": {
        "mask_rate": config.masking.mask_rate, "mask_symbol_rate": config.masking.mask_symbol_rate,
        "slots": size.slots}}
    allocator = find_tcmalloc()
    environment = {"HF_HUB_OFFLINE": "1", **({"LD_PRELOAD": allocator} if allocator else {})}
    return [Variant(name + ", tcmalloc" * bool(allocator), False, precision,
                    (interpreters["torch"], ROOT / "benchmarks" / "training_step_hugging_face.py"), (
                        {"do": "build", "folder": str(folder), "settings": settings, "training": _training(config),
                         "is_compiled": is_compiled, "precision": kept},
                        {"do": "losses"}, {"do": "warm_up", "steps": WARM_UP_STEPS}),
                    environment=environment, measures_peak=kept == precision and not is_compiled)
            for name, (precision, kept, is_compiled) in _HUGGING_FACE.items()]


def keras_hub_variants(size, folder, interpreters):
    """The discriminator alone, forward and backward."""
    model = to_dict(size.config().model)
    return [Variant(f"KerasHub {precision}, discriminator without optimizer", False, precision,
                    (sys.executable, ROOT / "benchmarks" / "training_step_keras_hub.py"), (
                        {"do": "build", "model": model, "dropout": DROPOUT, "precision": precision,
                         "sequence_length": size.sequence_length, "batch_size": size.batch_size,
                         "warm_up_steps": WARM_UP_STEPS},),
                    is_whole_step=False)
            for precision in MATMUL_PRECISIONS]


def model_garden_variants(size, folder, interpreters):
    """The pieces of TensorFlow's Model Garden, masks given, losses not compared; its sampling refuses bfloat16."""
    config = size.config()
    return [Variant("Model Garden float32, masks given", False, "float32",
                    (interpreters["model_garden"], ROOT / "benchmarks" / "training_step_model_garden.py"), (
                        {"do": "build", "folder": str(folder), "model": to_dict(config.model),
                         "generator": to_dict(config.model.generator), "dropout": DROPOUT,
                         "training": _training(config), "warm_up_steps": WARM_UP_STEPS},),
                    is_whole_step=False)]


def _training(config):
    """What a peer must know of PretrainingConfig to train like us."""
    return {"learning_rate": config.optimizer.learning_rate, "weight_decay": config.optimizer.weight_decay,
            "clip_norm": config.optimizer.clip_norm, "generator_weight": config.generator_weight,
            "discriminator_weight": config.discriminator_weight}


PEERS = {"huggingface": hugging_face_variants, "keras_hub": keras_hub_variants, "model_garden": model_garden_variants}


def find_tcmalloc():
    """Path of tcmalloc's library, or None where this machine has none."""
    for name in ("tcmalloc_minimal", "tcmalloc"):
        if ctypes.util.find_library(name):
            return ctypes.util.find_library(name)  # the loader finds it by this name
    return next(iter(sorted(glob.glob("/usr/lib/*/libtcmalloc*.so*"))), None)
