"""The folder that holds a SavedModel: its description and the version that is meant."""

import dataclasses
import pathlib

from electra_tf.config import read_json
from electra_tf.errors import InputError
from electra_tf.serving.saved_model import DESCRIPTION_FILE


@dataclasses.dataclass(frozen=True)
class Export:
    """What `export_saved_model` wrote: the folder, one version folder in it, and the description of both."""

    folder: pathlib.Path
    version_folder: pathlib.Path
    description: dict


def is_export(folder):
    """Whether a folder is what `export_saved_model` wrote, or a version folder in it."""
    folder = pathlib.Path(folder)
    if (folder / "saved_model.pb").is_file() and not (folder.parent / DESCRIPTION_FILE).is_file():
        raise InputError(f"{folder} is a SavedModel without its {DESCRIPTION_FILE}; give the folder that "
                         f"export/saved_model.py wrote.")
    return (folder / "saved_model.pb").is_file() or (folder / DESCRIPTION_FILE).is_file()


def read_export(folder):
    """The Export in a folder, or of a version folder; of several versions the newest is meant."""
    folder = pathlib.Path(folder)
    if (folder / "saved_model.pb").is_file():
        folder, version = folder.parent, folder.name
    else:
        version = max((path.name for path in folder.iterdir() if path.name.isdecimal()), key=int, default="1")
    return Export(folder, folder / version, read_json(folder / DESCRIPTION_FILE))
