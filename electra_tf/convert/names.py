"""How the parts of a model are called in each format, as data. Every reader and writer goes through these tables."""

import dataclasses

TABLE, DENSE, NORM = "table", "dense", "norm"
ORIGINAL, HUGGING_FACE, KERAS_HUB = "original", "hugging_face", "keras_hub"

# What a part's arrays are called behind its name: ours and the original's (no table has an ending), then the others'.
_OURS = {TABLE: ("",), DENSE: ("/kernel", "/bias"), NORM: ("/gamma", "/beta")}
_ENDINGS = {
    ORIGINAL: _OURS,
    HUGGING_FACE: {TABLE: (".weight",), DENSE: (".weight", ".bias"), NORM: (".weight", ".bias")},
    KERAS_HUB: {TABLE: ("/vars/0",), DENSE: ("/vars/0", "/vars/1"), NORM: ("/vars/0", "/vars/1")},
}


@dataclasses.dataclass(frozen=True)
class Part:
    """One table, dense layer or LayerNorm.

    Attributes:
        ours: its name in a model folder.
        kind: TABLE, DENSE or NORM.
        sizes: names of ElectraConfig fields, or numbers: (rows, width), (inputs, outputs) or (width,).
        original, hugging_face, keras_hub: its name there, or None. "{n}" is the layer's number.
        heads: "outputs" or "inputs" where KerasHub splits that axis into (heads, head size).
    """

    ours: str
    kind: str
    sizes: tuple
    original: str | None
    hugging_face: str | None
    keras_hub: str | None = None
    heads: str | None = None


EMBEDDINGS = (
    Part("embeddings/word_embeddings", TABLE, ("vocabulary_size", "embedding_size"),
         "embeddings/word_embeddings", "embeddings.word_embeddings", "layers/reversible_embedding"),
    Part("embeddings/segment_embeddings", TABLE, ("num_segments", "embedding_size"),
         "embeddings/token_type_embeddings", "embeddings.token_type_embeddings", "layers/embedding"),
    Part("embeddings/position_embeddings", TABLE, ("max_positions", "embedding_size"),
         "embeddings/position_embeddings", "embeddings.position_embeddings", "layers/position_embedding"),
    Part("embeddings/norm", NORM, ("embedding_size",),
         "embeddings/LayerNorm", "embeddings.LayerNorm", "layers/layer_normalization"),
)
PROJECTION = (
    Part("embeddings_project", DENSE, ("embedding_size", "hidden_size"),
         "embeddings_project", "embeddings_project", "layers/dense"),
)
LAYER = (
    Part("layer_{n}/attention/query", DENSE, ("hidden_size", "hidden_size"), "encoder/layer_{n}/attention/self/query",
         "encoder.layer.{n}.attention.self.query", "{layer}/_self_attention_layer/query_dense", "outputs"),
    Part("layer_{n}/attention/key", DENSE, ("hidden_size", "hidden_size"), "encoder/layer_{n}/attention/self/key",
         "encoder.layer.{n}.attention.self.key", "{layer}/_self_attention_layer/key_dense", "outputs"),
    Part("layer_{n}/attention/value", DENSE, ("hidden_size", "hidden_size"), "encoder/layer_{n}/attention/self/value",
         "encoder.layer.{n}.attention.self.value", "{layer}/_self_attention_layer/value_dense", "outputs"),
    Part("layer_{n}/attention/output", DENSE, ("hidden_size", "hidden_size"),
         "encoder/layer_{n}/attention/output/dense", "encoder.layer.{n}.attention.output.dense",
         "{layer}/_self_attention_layer/output_dense", "inputs"),
    Part("layer_{n}/attention_norm", NORM, ("hidden_size",), "encoder/layer_{n}/attention/output/LayerNorm",
         "encoder.layer.{n}.attention.output.LayerNorm", "{layer}/_self_attention_layer_norm"),
    Part("layer_{n}/intermediate", DENSE, ("hidden_size", "intermediate_size"),
         "encoder/layer_{n}/intermediate/dense", "encoder.layer.{n}.intermediate.dense",
         "{layer}/_feedforward_intermediate_dense"),
    Part("layer_{n}/output", DENSE, ("intermediate_size", "hidden_size"), "encoder/layer_{n}/output/dense",
         "encoder.layer.{n}.output.dense", "{layer}/_feedforward_output_dense"),
    Part("layer_{n}/output_norm", NORM, ("hidden_size",), "encoder/layer_{n}/output/LayerNorm",
         "encoder.layer.{n}.output.LayerNorm", "{layer}/_feedforward_layer_norm"),
)
POOLER = (Part("pooler", DENSE, ("hidden_size", "hidden_size"), None, None, "layers/dense_1"),)
UNTIED_OUTPUT = (
    Part("head/output_embeddings", TABLE, ("vocabulary_size", "embedding_size"), None, "generator_lm_head"),
)
# kind of a model folder -> the parts beside its encoder. "{labels}" is their number; "{task}" the original's name.
HEADS = {
    "encoder": (),
    "discriminator": (
        Part("head/dense", DENSE, ("hidden_size", "hidden_size"),
             "discriminator_predictions/dense", "discriminator_predictions.dense"),
        Part("head/output", DENSE, ("hidden_size", 1),
             "discriminator_predictions/dense_1", "discriminator_predictions.dense_prediction"),
    ),
    "generator": (
        Part("head/dense", DENSE, ("hidden_size", "embedding_size"),
             "generator_predictions/dense", "generator_predictions.dense"),
        Part("head/norm", NORM, ("embedding_size",),
             "generator_predictions/LayerNorm", "generator_predictions.LayerNorm"),
        # A bias alone; "=" stands for a name that takes no ending.
        Part("head/output_bias", TABLE, ("vocabulary_size",),
             "generator_predictions/output_bias", "=generator_lm_head.bias"),
    ),
    "token_classifier": (
        Part("classifier", DENSE, ("hidden_size", "labels"), "task_specific/{task}/dense", "classifier"),
    ),
    "question_answerer": (Part("spans", DENSE, ("hidden_size", 2), None, "qa_outputs"),),
    "multiple_choice": (
        Part("classifier_hidden", DENSE, ("hidden_size", "hidden_size"), None, "sequence_summary.summary"),
        Part("classifier", DENSE, ("hidden_size", 1), None, "classifier"),
    ),
}
# The original's head is one layer, Hugging Face's two.
ONE_LAYER_HEAD = (Part("classifier", DENSE, ("hidden_size", "labels"), "task_specific/{task}/dense", None),)
TWO_LAYER_HEAD = (
    Part("classifier_hidden", DENSE, ("hidden_size", "hidden_size"), None, "classifier.dense"),
    Part("classifier", DENSE, ("hidden_size", "labels"), None, "classifier.out_proj"),
)
# Tasks on the first token, told apart by their loss.
TEXT_TASKS = ("text_classifier", "text_regressor", "text_multilabel_classifier")
PREFIXES = {ORIGINAL: "electra/", HUGGING_FACE: "electra.", KERAS_HUB: ""}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One array in two places: `theirs` is `ours` transposed if `is_transposed`, then of `their_shape`."""

    ours: str
    theirs: str
    our_shape: tuple
    their_shape: tuple
    is_transposed: bool

    def to_ours(self, array):
        return (array.T if self.is_transposed else array).reshape(self.our_shape)

    def to_theirs(self, array):
        return (array.T if self.is_transposed else array).reshape(self.their_shape)


def head_parts(kind, extra):
    """The parts beside the encoder of a model of this kind."""
    if kind in TEXT_TASKS:
        return TWO_LAYER_HEAD if extra.get("head_hidden_layer") else ONE_LAYER_HEAD
    return HEADS[kind]


def encoder_entries(config, form, *, prefix=None, embeddings_prefix=None):
    """The arrays of an encoder.

    Args:
        config: ElectraConfig.
        form: ORIGINAL, HUGGING_FACE or KERAS_HUB.
        prefix: put before the other format's names; None takes that of a discriminator.
        embeddings_prefix: the same for the embeddings, where another network holds them.

    Returns:
        List of Entry; `ours` starts with "encoder/".

    >>> encoder_entries(ElectraConfig(), HUGGING_FACE)[0].theirs   # 'electra.embeddings.word_embeddings.weight'
    """
    prefix = PREFIXES[form] if prefix is None else prefix
    embeddings_prefix = prefix if embeddings_prefix is None else embeddings_prefix
    found = _entries(EMBEDDINGS, config, form, prefix=embeddings_prefix)
    if config.embedding_size != config.hidden_size:
        found += _entries(PROJECTION, config, form, prefix=prefix)
    for number in range(config.num_layers):
        found += _entries(LAYER, config, form, prefix=prefix, n=number,
                          layer=f"layers/transformer_encoder{f'_{number}' if number else ''}")
    return [dataclasses.replace(entry, ours=f"encoder/{entry.ours}") for entry in found]


def head_entries(kind, config, form, extra):
    """The arrays beside the encoder; None where the other format has no such head.

    >>> head_entries("discriminator", ElectraConfig(), ORIGINAL, {})[0].theirs   # 'discriminator_predictions/dense/...'
    """
    parts = head_parts(kind, extra)
    if kind == "generator" and not config.has_tied_output:
        parts += UNTIED_OUTPUT
    if any(getattr(part, form) is None for part in parts):
        return None
    return _entries(parts, config, form, labels=len(extra.get("labels", ())) or 1, task=extra.get("task", kind))


def pooler_entries(config):
    """KerasHub's pooled dense layer, which ELECTRA has not; it stands where the projection would, if there is none."""
    found = _entries(POOLER, config, KERAS_HUB)
    if config.embedding_size != config.hidden_size:
        return found
    return [dataclasses.replace(entry, theirs=entry.theirs.replace("dense_1", "dense")) for entry in found]


def _entries(parts, config, form, *, prefix="", labels=1, **names):
    entries = []
    for part in parts:
        sizes = tuple(size if isinstance(size, int) else labels if size == "labels" else getattr(config, size)
                      for size in part.sizes)
        their_name = getattr(part, form).format(**names)
        their_endings = _ENDINGS[form][part.kind]
        if their_name.startswith("="):
            their_name, their_endings = their_name[1:], ("",)
        for position, (our_ending, their_ending) in enumerate(zip(_OURS[part.kind], their_endings, strict=True)):
            our_shape = sizes if part.kind != DENSE or position == 0 else sizes[1:]
            is_transposed = form == HUGGING_FACE and part.kind == DENSE and position == 0
            their_shape = _keras_hub_shape(part, config, our_shape) if form == KERAS_HUB else our_shape
            entries.append(Entry(part.ours.format(**names) + our_ending, prefix + their_name + their_ending, our_shape,
                                 their_shape[::-1] if is_transposed else their_shape, is_transposed))
    return entries


def _keras_hub_shape(part, config, our_shape):
    heads = (config.num_heads, config.head_size)
    if part.heads == "outputs":
        return (*our_shape[:-1], *heads)
    return (*heads, our_shape[1]) if part.heads == "inputs" and len(our_shape) == 2 else our_shape
