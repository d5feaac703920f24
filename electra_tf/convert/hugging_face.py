"""Hugging Face folders: ELECTRA models both ways, plain BERT encoders one way; without torch or transformers."""

import dataclasses
import json
import pathlib

import ml_dtypes  # noqa: F401  (makes bfloat16 known to numpy, which safetensors asks for it)
import numpy as np
import safetensors
import safetensors.numpy

from electra_tf.config import ElectraConfig, read_json
from electra_tf.convert.names import HUGGING_FACE, TEXT_TASKS, encoder_entries, head_entries
from electra_tf.convert.portable_model import PortableModel, float32
from electra_tf.convert.strict import to_our_names, to_their_names
from electra_tf.convert.torch_file import read_torch_file
from electra_tf.convert.vocabularies import read_vocabulary_beside, write_hugging_face
from electra_tf.errors import InputError
from electra_tf.files import some_names

CONFIG_FILE, WEIGHTS_FILE, TORCH_FILE = "config.json", "model.safetensors", "pytorch_model.bin"
_KIND_OF = {
    "ElectraModel": "encoder", "ElectraForPreTraining": "discriminator", "ElectraForMaskedLM": "generator",
    "ElectraForSequenceClassification": "text_classifier", "ElectraForTokenClassification": "token_classifier",
    "ElectraForQuestionAnswering": "question_answerer", "ElectraForMultipleChoice": "multiple_choice"}
_CLASS_OF = {**{kind: name for name, kind in _KIND_OF.items()},
             **dict.fromkeys(TEXT_TASKS, "ElectraForSequenceClassification")}
_TEXT_TASK_OF = {"regression": "text_regressor", "multi_label_classification": "text_multilabel_classifier",
                 "single_label_classification": "text_classifier"}
_PROBLEM_OF = {kind: problem for problem, kind in _TEXT_TASK_OF.items()}
_ACTIVATION_OF = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}
_HIDDEN_ACT_OF = {"gelu": "gelu", "gelu_tanh": "gelu_new"}
# Their name -> ours; the values are the same.
SETTINGS = {
    "vocab_size": "vocabulary_size", "embedding_size": "embedding_size", "hidden_size": "hidden_size",
    "num_hidden_layers": "num_layers", "num_attention_heads": "num_heads", "intermediate_size": "intermediate_size",
    "max_position_embeddings": "max_positions", "type_vocab_size": "num_segments",
    "hidden_dropout_prob": "hidden_dropout", "attention_probs_dropout_prob": "attention_dropout",
    "layer_norm_eps": "layer_norm_epsilon", "initializer_range": "initializer_range",
    "tie_word_embeddings": "has_tied_output"}
# Tables of numbers 0, 1, 2 ... that old files hold among the weights.
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
_TIED = "generator_lm_head.weight"


def read(folder):
    """A Hugging Face folder of an ELECTRA model, or of a BERT whose encoder starts an ELECTRA.

    Args:
        folder: config.json, the weights (model.safetensors, its shards, or pytorch_model.bin), and a tokenizer.

    Returns:
        PortableModel.

    Raises:
        InputError: another kind of model, or weights and settings that do not fit each other.

    >>> read("google/electra-small-discriminator").kind   # 'discriminator'
    """
    folder = pathlib.Path(folder)
    settings = read_json(folder / CONFIG_FILE)
    arrays = read_arrays(folder)
    vocabulary, told = read_vocabulary_beside(folder)
    model_type = settings.get("model_type") or _model_type_of(arrays)
    if model_type == "electra":
        model = _electra(arrays, settings, folder)
    elif model_type == "bert":
        model = _bert(arrays, settings, folder)
    else:
        raise InputError(f"{folder / CONFIG_FILE} is of model_type {model_type!r}; only 'electra' and 'bert' are built "
                         f"like this package's encoder.")
    return dataclasses.replace(model, vocabulary=vocabulary, told=(*told, *model.told))


def read_arrays(folder):
    """name -> numpy array of all weights in a folder, in the dtypes of the files."""
    folder = pathlib.Path(folder)
    for name, read_one in ((WEIGHTS_FILE, _read_safetensors), (TORCH_FILE, read_torch_file)):
        if (folder / name).is_file():
            return read_one(folder / name)
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _read_shards(folder, read_json(index), read_one, index)
    raise InputError(f"{folder} has no weights; expected {WEIGHTS_FILE}, its shards with {WEIGHTS_FILE}.index.json, or "
                     f"{TORCH_FILE}.")


def config_from(settings, where):
    """ElectraConfig from the settings in a Hugging Face config.json or an original BERT's bert_config.json."""
    act = settings.get("hidden_act", "gelu")
    if act not in _ACTIVATION_OF:
        raise InputError(f"{where}: hidden_act={act!r} is not known here; expected {', '.join(_ACTIVATION_OF)}.")
    positions = settings.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise InputError(f"{where}: position_embedding_type={positions!r} has no counterpart here; only 'absolute'.")
    lacking = [name for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                                 "intermediate_size") if name not in settings]
    if lacking:
        raise InputError(f"{where} has no {lacking[0]}; it does not describe an encoder.")
    # A BERT names one width for embeddings and layers.
    known = {"embedding_size": settings["hidden_size"],
             **{name: settings[name] for name in SETTINGS if name in settings}}
    return ElectraConfig(**{SETTINGS[name]: value for name, value in known.items()}, activation=_ACTIVATION_OF[act])


def settings_from(config):
    """The counterpart of `config_from`: the settings of an ElectraConfig under their names."""
    return {**{theirs: getattr(config, ours) for theirs, ours in SETTINGS.items()},
            "hidden_act": _HIDDEN_ACT_OF[config.activation]}


def write(folder, model):
    """Fills a folder so that AutoModel and AutoTokenizer read it.

    Args:
        folder: an empty folder.
        model: PortableModel.

    Returns:
        Tuple of sentences about what could not be written.

    Raises:
        InputError: Hugging Face has no such head.

    >>> write(folder, model)
    """
    folder = pathlib.Path(folder)
    model, told = _without_pooler(model)
    model, told_of_scores = _with_scores_as_outputs(model)
    heads = head_entries(model.kind, model.config, HUGGING_FACE, model.extra) if model.kind in _CLASS_OF else None
    if heads is None:
        reason = ("its head has one layer, Hugging Face's has two" if model.kind in TEXT_TASKS else
                  "Hugging Face has no such head")
        raise InputError(f"a model of kind {model.kind!r} cannot be written as a Hugging Face folder: {reason}; "
                         f"write its encoder alone by --part=encoder.")
    prefix = "" if model.kind == "encoder" else None
    entries = [*encoder_entries(model.config, HUGGING_FACE, prefix=prefix), *heads]
    arrays = to_their_names(model.weights, entries, where=f"the {model.kind}")
    safetensors.numpy.save_file(arrays, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    settings = {"architectures": [_CLASS_OF[model.kind]], "model_type": "electra", "dtype": "float32",
                **settings_from(model.config), "pad_token_id": 0, **_label_settings(model),
                # What the transformers classes assume of ELECTRA's heads.
                "summary_type": "first", "summary_use_proj": True, "summary_activation": "gelu"}
    if model.vocabulary is not None:
        settings["pad_token_id"] = model.vocabulary.pad_id
        write_hugging_face(folder, model.vocabulary, max_positions=model.config.max_positions)
    (folder / CONFIG_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return (*told, *told_of_scores)


def _with_scores_as_outputs(model):
    """A regressor whose network gives the scores themselves, as all do there; ours gives their place in the range."""
    lowest, highest = model.extra.get("score_range", (0, 1))
    if (lowest, highest) == (0, 1):
        return model, ()
    kernel, bias = (model.weights[f"classifier/{name}"] for name in ("kernel", "bias"))
    span = np.float32(highest - lowest)
    weights = {**model.weights, "classifier/kernel": kernel * span, "classifier/bias": bias * span + np.float32(lowest)}
    return dataclasses.replace(model, weights=weights, extra={**model.extra, "score_range": (0.0, 1.0)}), (
        f"The scores from {lowest:g} to {highest:g} are what the network itself gives there.",)


def _electra(arrays, settings, folder):
    kind, extra = _kind_and_extra(settings, arrays, folder)
    config = config_from(settings, folder / CONFIG_FILE)
    has_prefix = any(name.startswith("electra.") for name in arrays)
    prefix = "electra." if has_prefix else ""
    left_out = [prefix + name for name in _BUFFERS if prefix + name in arrays]
    if config.has_tied_output and _TIED in arrays:
        words = arrays.get(f"{prefix}embeddings.word_embeddings.weight")
        if words is None or not (arrays[_TIED] == words).all():
            raise InputError(f"{folder}: {_TIED} differs from the word table, but {CONFIG_FILE} says that they are one "
                             f"(tie_word_embeddings); correct the settings.")
        left_out.append(_TIED)
    if kind != "generator":
        config = dataclasses.replace(config, has_tied_output=True)
    entries = [*encoder_entries(config, HUGGING_FACE, prefix=prefix), *head_entries(kind, config, HUGGING_FACE, extra)]
    weights = to_our_names(arrays, entries, where=folder, left_out=left_out)
    return PortableModel(kind, config, weights, extra=extra, told=_told_about(left_out))


def _bert(arrays, settings, folder):
    """The encoder of a BERT: as wide embeddings as layers, no projection; pooler and heads are left out."""
    config = dataclasses.replace(config_from(settings, folder / CONFIG_FILE), has_tied_output=True)
    # Very old files call LayerNorm's arrays gamma and beta, as TensorFlow does.
    arrays = {name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias"): array
              for name, array in arrays.items()}
    prefix = "bert." if any(name.startswith("bert.") for name in arrays) else ""
    beside = (f"{prefix}embeddings.", f"{prefix}encoder.")
    left_out = [name for name in arrays if not name.startswith(beside) or name.removeprefix(prefix) in _BUFFERS]
    weights = to_our_names(arrays, encoder_entries(config, HUGGING_FACE, prefix=prefix), where=folder,
                           left_out=left_out)
    return PortableModel("encoder", config, weights,
                         told=("This is a BERT: its encoder is a warm start.", *_told_about(left_out)))


def _kind_and_extra(settings, arrays, folder):
    architecture = (settings.get("architectures") or [_architecture_of(arrays)])[0]
    if architecture not in _KIND_OF:
        raise InputError(f"{folder / CONFIG_FILE}: the class {architecture!r} has no counterpart here; known are "
                         f"{', '.join(_KIND_OF)}.")
    kind = _KIND_OF[architecture]
    if kind in ("encoder", "discriminator", "generator"):
        return kind, {}
    # The library writes the names of labels only where they are not its two defaults.
    names = settings.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    labels = [names[key] for key in sorted(names, key=int)]
    if kind == "text_classifier":
        problem = settings.get("problem_type") or ("regression" if len(labels) == 1 else "single_label_classification")
        dropout = settings.get("classifier_dropout")
        dropout = settings.get("hidden_dropout_prob", 0.1) if dropout is None else dropout
        return _TEXT_TASK_OF[problem], {"labels": labels, "head_hidden_layer": True, "dropout": dropout}
    return kind, {"labels": labels} if kind == "token_classifier" else {}


def _architecture_of(arrays):
    for start, name in (("discriminator_predictions.", "ElectraForPreTraining"),
                        ("generator_predictions.", "ElectraForMaskedLM"),
                        ("classifier.out_proj.", "ElectraForSequenceClassification"),
                        ("sequence_summary.", "ElectraForMultipleChoice"),
                        ("classifier.", "ElectraForTokenClassification"),
                        ("qa_outputs.", "ElectraForQuestionAnswering")):
        if any(key.startswith(start) for key in arrays):
            return name
    return "ElectraModel"


def _model_type_of(arrays):
    is_bert = any(name.startswith(("bert.", "pooler.")) for name in arrays)
    return "bert" if is_bert else "electra"


def _label_settings(model):
    labels = model.extra.get("labels")
    if not labels:
        return {}
    told = {"id2label": {str(number): label for number, label in enumerate(labels)},
            "label2id": {label: number for number, label in enumerate(labels)}}
    if model.kind in _PROBLEM_OF:
        told |= {"problem_type": _PROBLEM_OF[model.kind]}
        if "dropout" in model.extra:
            told |= {"classifier_dropout": model.extra["dropout"]}
    return told


def _without_pooler(model):
    pooler = model.starting_with("pooler/")
    if not pooler:
        return model, ()
    weights = {name: array for name, array in model.weights.items() if name not in pooler}
    return dataclasses.replace(model, weights=weights), (
        f"Left out, as ELECTRA has no pooler: {some_names(pooler)}.",)


def _told_about(left_out):
    return (f"Left out: {', '.join(left_out)}.",) if left_out else ()


def _read_safetensors(path):
    try:
        return {name: float32(array) for name, array in safetensors.numpy.load_file(path).items()}
    except safetensors.SafetensorError as error:
        raise InputError(f"{path} is damaged: {error}; get it again.") from None


def _read_shards(folder, index, read_one, where):
    arrays = {}
    names = index.get("weight_map", {})
    for shard in sorted(set(names.values())):
        if not (folder / shard).is_file():
            raise InputError(f"{where} names {shard}, which is not there; get the missing part.")
        arrays |= read_one(folder / shard)
    if set(arrays) != set(names):
        raise InputError(f"{where} and its parts do not hold the same weights: "
                         f"{some_names(sorted(set(arrays) ^ set(names)))}.")
    return arrays
