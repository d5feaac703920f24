"""Files and folders that appear whole or not at all: written under a temporary name, flushed to disk, then renamed.

The temporary name of `out` is `.out.partial` beside it, so what a killed job left is replaced by the next one. One
writer at a time is assumed, as for every output of a job.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil

from electra_tf.errors import InputError

_BLOCK_BYTES = 1 << 20


def write_bytes_atomically(path, data):
    """Writes a file that other processes see either as it was before or complete.

    Args:
        path: the file; its folder is made if need be. An existing file is replaced.
        data: bytes.

    Raises:
        InputError: the file cannot be written there.

    >>> write_bytes_atomically("model.tflite", b"TFL3")
    """
    path = pathlib.Path(path).resolve()
    partial = _partial(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    _flush_to_disk(path.parent)


def write_text_atomically(path, text):
    """`write_bytes_atomically` for text, stored as UTF-8 with the line ends it has.

    >>> write_text_atomically("vocab.txt", "[PAD]\\n[UNK]\\n")
    """
    write_bytes_atomically(path, text.encode("utf-8"))


def write_json_atomically(path, values):
    """`write_bytes_atomically` for a JSON value, indented, keys in the order given.

    >>> write_json_atomically("result.json", {"accuracy": 0.75})
    """
    write_text_atomically(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def new_folder(path):
    """A folder that is filled under a temporary name and gets its own name when the block ends well.

    If the block raises, nothing is left behind.

    Args:
        path: the folder to make; it must not exist or be empty.

    Yields:
        pathlib.Path of the temporary folder to write into.

    Raises:
        InputError: `path` holds other work or cannot be made.

    >>> with new_folder("vocabulary") as folder:
    ...     write_text_atomically(folder / "vocab.txt", "[PAD]\\n")
    """
    path = pathlib.Path(path).resolve()
    require_new_or_empty(path)
    if os.path.ismount(path):  # it could not get the work's name at the end
        raise InputError(f"{path} is a mount point; give a new folder inside it.")
    partial = _partial(path)
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield partial
        for inner in [*partial.rglob("*"), partial]:
            _flush_to_disk(inner)
        require_new_or_empty(path)
        os.rename(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _flush_to_disk(path.parent)


def require_new_or_empty(path):
    """Refuses a path that is a file, or a folder that holds something.

    Raises:
        InputError: names a few of the things found.

    >>> require_new_or_empty("runs/small")
    """
    path = pathlib.Path(path)
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())
        if names:
            raise InputError(f"{path} holds other work ({some_names(names)}), which is never overwritten; "
                             f"give a new folder or remove it yourself.")
    elif path.exists():
        raise InputError(f"{path} is a file; give the path of a new or empty folder.")


def require_new_file(path):
    """Refuses the path of an output file that exists already.

    Raises:
        InputError: there is something at `path`.

    >>> require_new_file("model.tflite")
    """
    if pathlib.Path(path).exists():
        raise InputError(f"{path} exists already and is never overwritten; give a new name or remove it yourself.")


def some_names(names, *, most=4):
    """The first few names for a sentence, and how many more there are.

    >>> some_names(["a", "b", "c"], most=2)   # 'a, b and 1 more'
    """
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def sha256_of(path):
    """SHA-256 of a file's bytes in hexadecimal, read in blocks.

    >>> sha256_of("vocab.txt")   # '9f86d081...'
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _partial(path):
    return path.with_name(f".{path.name}.partial")


def _flush_to_disk(path):
    """Asks the system to put a file's bytes, or a folder's list of names, on the disk before what follows."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path, error):
    return InputError(f"{path} cannot be written: {error.strerror or error}; give a path where you may write.")
