"""One folder for a model: config.json, model.safetensors, vocabulary/. Strict when it is read."""

import dataclasses
import hashlib
import json
import logging
import pathlib

import numpy as np
import safetensors
import safetensors.numpy

from electra_tf.config import ElectraConfig, from_dict, read_json, to_dict
from electra_tf.convert.formats import FOREIGN, read_foreign, recognize
from electra_tf.convert.portable_model import PortableModel
from electra_tf.errors import InputError
from electra_tf.files import new_folder, sha256_of
from electra_tf.text.vocabulary import Vocabulary

FORMAT = 1
WEIGHTS_DTYPES = ("float32", "float16")
_NETWORKS = ("discriminator", "generator")
SHIPPED_MODELS = pathlib.Path(__file__).parent.parent / "pretrained"


@dataclasses.dataclass(frozen=True)
class ModelFolder(PortableModel):
    """What a model folder holds: a PortableModel, and where it was read (`path`)."""

    path: pathlib.Path | None = None

    def encoder_weights(self):
        """The arrays under "encoder/", without the heads beside it."""
        return self.starting_with("encoder/")


def named_weights(layer, *, prefix=""):
    """Name -> variable for everything below a layer; names follow the layers, without the outermost one's.

    The matrices of LoRA are no weights of their own: the kernel that they change stands for them, as MergedKernel.

    Args:
        layer: a built Keras layer or model.
        prefix: put before each name.

    Returns:
        dict of str -> keras.Variable, in the order of creation.
    """
    names = {}
    adapted = {id(weight): part for part in layer._flatten_layers() if getattr(part, "lora_enabled", False)
               for weight in part.weights}
    for variable in layer.weights:
        dense = adapted.get(id(variable))
        if dense is not None and variable.name.startswith("lora_"):
            continue
        path = variable.path.removeprefix(layer.name + "/")
        if prefix + path in names:
            raise ValueError(f"two variables are named {prefix + path!r}")
        names[prefix + path] = MergedKernel(dense) if dense is not None and variable.name == "kernel" else variable
    return names


class MergedKernel:
    """The kernel of a dense layer with LoRA as one weight: what the layer multiplies with.

    Args:
        dense: keras.layers.Dense with LoRA.
    """

    def __init__(self, dense):
        self._dense = dense

    @property
    def shape(self):
        return self._dense.kernel.shape

    def numpy(self):
        return np.asarray(self._dense.kernel)

    def assign(self, value):
        """Sets the kernel; what LoRA has learnt so far is forgotten."""
        next(weight for weight in self._dense.weights if weight.name == "kernel").assign(value)
        self._dense.lora_kernel_b.assign(np.zeros(self._dense.lora_kernel_b.shape, np.float32))


def assign_weights(variables, arrays, *, new=(), unused=()):
    """Copies arrays into variables; every name must match, or be named by the caller.

    Args:
        variables: name -> variable to be set.
        arrays: name -> numpy array.
        new: prefixes of variables that are meant to keep their initial values.
        unused: prefixes of arrays that are meant to be left out.

    Raises:
        InputError: names what is missing, what is left over, and what has another shape.
    """
    missing = [name for name in variables if name not in arrays and not name.startswith(tuple(new))]
    extra = [name for name in arrays if name not in variables and not name.startswith(tuple(unused))]
    misshapen = [f"{name} is {list(arrays[name].shape)} in the file and {list(variables[name].shape)} in the model"
                 for name in variables if name in arrays and tuple(arrays[name].shape) != tuple(variables[name].shape)]
    problems = [f"{label}: {', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}"
                for label, names in (("missing", missing), ("left over", extra), ("of another shape", misshapen))
                if names]
    if problems:
        raise InputError("the weights do not fit the model; " + "; ".join(problems) + ".")
    for name, variable in variables.items():
        if name in arrays:
            variable.assign(arrays[name])


def save_model_folder(folder, *, kind, config, weights, vocabulary=None, extra=None, weights_dtype="float32"):
    """Writes a model folder under a temporary name and renames it; never over other work.

    Args:
        folder: the path to make.
        kind: what the weights are, see ModelFolder.
        config: ElectraConfig.
        weights: name -> keras.Variable or numpy array.
        vocabulary: Vocabulary, or None for a model without text.
        extra: dictionary of plain values.
        weights_dtype: one of WEIGHTS_DTYPES, of the file; what is read from it is float32 again.

    Raises:
        InputError: the folder exists and holds other work, or a weight is beyond the numbers of `weights_dtype`.
    """
    with np.errstate(over="ignore"):  # told below, by name
        arrays = {name: np.ascontiguousarray(weight.numpy() if hasattr(weight, "numpy") else weight, weights_dtype)
                  for name, weight in weights.items()}
    if weights_dtype == "float16" and (beyond := [name for name, array in arrays.items() if np.isinf(array).any()]):
        raise InputError(f"{beyond[0]} holds numbers beyond 65,504, which float16 does not have; write the weights as "
                         f"float32.")
    description = {"format": FORMAT, "kind": kind, "model": to_dict(config), "extra": extra or {}}
    if vocabulary is not None:
        description["vocabulary_hash"] = vocabulary.hash
    with new_folder(folder) as temporary:
        (temporary / "config.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        # Not save_file: its files can be read by nobody but their owner, and a server runs as somebody else.
        (temporary / "model.safetensors").write_bytes(safetensors.numpy.save(arrays))
        if vocabulary is not None:
            vocabulary.save(temporary / "vocabulary")


def load_model_folder(folder, *, network="discriminator"):
    """Reads a model folder of ours or of another program, or a model that ships with the package, by name.

    Args:
        folder: a path, or a shipped name such as "tiny_en". A folder of the original implementation, of Hugging Face or
            of KerasHub is recognised by its content and converted on the way.
        network: which one is meant where a checkpoint of the original holds both.

    Returns:
        ModelFolder.

    Raises:
        InputError: nothing is there, a part is missing or damaged, or its parts do not belong together.
    """
    path = pathlib.Path(folder)
    if not path.exists() and (SHIPPED_MODELS / str(folder)).is_dir():
        path = SHIPPED_MODELS / str(folder)
    if recognize(path) in FOREIGN:
        models = _converted(path)
        return next((model for model in models if model.kind == network), models[0])
    if not (path / "config.json").is_file():
        shipped = sorted(entry.name for entry in SHIPPED_MODELS.glob("*") if (entry / "config.json").is_file())
        raise InputError(f"{folder} is not a model folder (no config.json in it); give a folder that holds config.json "
                         f"and model.safetensors, or a shipped name: {', '.join(shipped) or 'none'}.")
    description = read_json(path / "config.json")
    if description.get("format") != FORMAT or "model" not in description:
        raise InputError(f"{path / 'config.json'} is not of this program's format {FORMAT}: "
                         f"found format={description.get('format')!r}.")
    vocabulary = Vocabulary.load(path / "vocabulary") if (path / "vocabulary").is_dir() else None
    if vocabulary is not None and vocabulary.hash != description.get("vocabulary_hash"):
        raise InputError(f"{path / 'vocabulary'} is not the vocabulary that this model was trained with: its hash is "
                         f"{vocabulary.hash[:12]}, config.json names {str(description.get('vocabulary_hash'))[:12]}.")
    try:
        weights = {name: array.astype(np.float32, copy=False)
                   for name, array in safetensors.numpy.load_file(path / "model.safetensors").items()}
    except FileNotFoundError:
        raise InputError(f"{path} has no model.safetensors; the folder is not complete.") from None
    except safetensors.SafetensorError as error:
        raise InputError(f"{path / 'model.safetensors'} is damaged: {error}.") from None
    config = from_dict(ElectraConfig, description["model"])
    if vocabulary is not None and vocabulary.size > config.vocabulary_size:
        raise InputError(f"{path}: the vocabulary has {vocabulary.size} pieces, the model {config.vocabulary_size}; "
                         f"they do not belong together.")
    return ModelFolder(description["kind"], config, weights, vocabulary, description["extra"], path=path)


def load_networks(folder):
    """What a folder holds: one model, or the discriminator and the generator of one pretraining.

    Args:
        folder: as for `load_model_folder`, or a folder with the model folders `discriminator` and `generator` inside.

    Returns:
        List of ModelFolder, the discriminator first.

    >>> [network.kind for network in load_networks("original/electra_small")]   # ['discriminator', 'generator']
    """
    path = pathlib.Path(folder)
    if recognize(path) in FOREIGN:
        return _converted(path)
    inner = [path / name for name in _NETWORKS if recognize(path / name) is not None]
    if len(inner) == len(_NETWORKS) and recognize(path) is None:
        return [load_model_folder(one) for one in inner]
    return [load_model_folder(folder)]


def _converted(path):
    models = read_foreign(path)
    for sentence in models[0].told:
        logging.getLogger(__name__).info("%s: %s", path, sentence)
    return [ModelFolder(**vars(model), path=path) for model in models]


def fingerprint(folder):
    """SHA-256 of a model's weights: of the file that holds them, or of the arrays of a foreign folder.

    >>> fingerprint("runs/small/discriminator")   # '9f86d081...'
    """
    path = pathlib.Path(folder)
    if recognize(path) not in FOREIGN:
        return sha256_of(path / "model.safetensors")
    digest = hashlib.sha256()
    for name, array in sorted(load_model_folder(path).weights.items()):
        digest.update(name.encode("utf-8"))
        digest.update(array.tobytes())
    return digest.hexdigest()
