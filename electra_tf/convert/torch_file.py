"""Reads the tensors of a pytorch_model.bin without PyTorch, and without executing anything that is pickled in it.

The file is a zip archive: `data.pkl` names the tensors, `data/KEY` holds their storages. The unpickler below knows the
five names that a plain state dict needs, each bound to a function of this file, and refuses every other one.
"""

import collections
import pathlib
import pickle
import zipfile

import ml_dtypes
import numpy as np

from electra_tf.errors import InputError

_STORAGES = {
    "FloatStorage": np.float32, "DoubleStorage": np.float64, "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16, "LongStorage": np.int64, "IntStorage": np.int32, "ShortStorage": np.int16,
    "CharStorage": np.int8, "ByteStorage": np.uint8, "BoolStorage": np.bool_}
_LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def read_torch_file(path):
    """The tensors of a PyTorch state dict.

    Args:
        path: a file that `torch.save` of PyTorch 1.6 or newer has written.

    Returns:
        dict of name -> numpy array; tensors that share a storage become arrays of their own.

    Raises:
        InputError: an older format, a damaged file, or one that holds anything else than tensors.

    >>> read_torch_file("electra-small/pytorch_model.bin")["electra.embeddings.LayerNorm.weight"].shape   # (128,)
    """
    path = pathlib.Path(path)
    with open(path, "rb") as file:
        start = file.read(len(_LEGACY_START))
    if start == _LEGACY_START:
        raise InputError(f"{path} is in the format that PyTorch wrote before version 1.6; read it with torch.load and "
                         f"write it again with torch.save, or save the model as safetensors.")
    try:
        with zipfile.ZipFile(path) as archive:
            tensors = _read_archive(archive, path)
    except (zipfile.BadZipFile, KeyError, EOFError, pickle.UnpicklingError, ValueError, IndexError, TypeError,
            AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged or no file of PyTorch ({error}); get it again, or save the model as "
                         f"safetensors.") from None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, np.ndarray) for tensor in tensors.values()):
        raise InputError(f"{path} is no plain state dict: it holds other things than tensors; save "
                         f"model.state_dict() instead.")
    return dict(tensors)


def _read_archive(archive, path):
    pickled = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickled) != 1:
        raise InputError(f"{path} holds {len(pickled)} entries data.pkl; expected one, as torch.save writes it.")
    root = pickled[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise InputError(f"{path} was written on a big-endian machine; save the model as safetensors.")
    with archive.open(pickled[0]) as file:
        return _TensorUnpickler(file, path, lambda key: archive.read(f"{root}data/{key}")).load()


class _Storage:
    """A storage, read when the first of its tensors is made; kept while the file is read."""

    def __init__(self, dtype, read):
        self._dtype, self._read, self._values = dtype, read, None

    @property
    def values(self):
        if self._values is None:
            self._values = np.frombuffer(self._read(), self._dtype)
        return self._values


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler for which no global exists but those of a state dict."""

    def __init__(self, file, path, read_storage):
        super().__init__(file, encoding="utf-8")
        self._path, self._read_storage, self._storages = path, read_storage, {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise InputError(f"{self._path} would run {module}.{name} when it is unpickled, so it is not read; a file of "
                         f"weights needs nothing of the kind. Get the model as safetensors, from a source you trust.")

    def persistent_load(self, saved_id):
        kind, dtype, key, _, _ = saved_id
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown persistent object {kind!r}")
        if key not in self._storages:
            self._storages[key] = _Storage(dtype, lambda: self._read_storage(key))
        return self._storages[key]


def _tensor(storage, offset, size, stride, *_):
    """A copy of the view that a tensor is; its bounds are checked before numpy sees them."""
    values = storage.values
    if len(size) != len(stride) or min((offset, *size, *stride)) < 0:
        raise ValueError("a tensor with impossible sizes")
    if 0 in size:
        return np.zeros(size, values.dtype)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride))
    if last >= len(values):
        raise ValueError("a tensor beyond the end of its storage")
    return np.lib.stride_tricks.as_strided(
        values[offset:], size, [step * values.itemsize for step in stride], writeable=False).copy()


def _parameter(tensor, *_):
    return tensor
