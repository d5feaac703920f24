"""Labelled texts as users have them: TSV, CSV and JSON lines by column name, or a tensorflow-datasets name."""

import collections
import csv
import dataclasses
import hashlib
import json
import pathlib
import re
import sys

from electra_tf.errors import InputError
from electra_tf.files import some_names
from electra_tf.tasks.options import TFDS_PREFIX
from electra_tf.tasks.statistics.folds import fold_of_rows
from electra_tf.tasks.tfds_rows import read_tfds_columns
from electra_tf.text.text_files import LineReader, whole_characters

_FORMATS = (".tsv", ".csv", ".jsonl")
_PACKED = (".gz", ".xz")
_NUMBER = re.compile(r"[+-]?\d+")
# Of QQP's train.tsv and dev.tsv, in which a few rows are cut in two; the original and tensorflow-datasets skip them.
_HEADER_OF_QQP = ["id", "qid1", "qid2", "question1", "question2", "is_duplicate"]


@dataclasses.dataclass(frozen=True)
class LabelledTexts:
    """The rows of a labelled set.

    Attributes:
        source: the file or name that they came from.
        columns: one list of texts, or two for pairs; all of one length.
        labels: list of label names, or None where no label column was asked for; a list of several labels is its JSON
            text, which is hashable and sortable as a name is.
        lines: line of the file that each row ends on, or None where there are no lines.
    """

    source: str
    columns: tuple
    labels: list | None
    lines: list | None = None

    def __len__(self):
        return len(self.columns[0])

    @property
    def texts(self):
        """What a task's `fit` and `predict` take: a list of texts, or a tuple of two lists."""
        return self.columns[0] if len(self.columns) == 1 else self.columns

    def at(self, places):
        """The rows at some places."""
        def chosen(values):
            return None if values is None else [values[place] for place in places]
        return LabelledTexts(self.source, tuple(map(chosen, self.columns)), chosen(self.labels), chosen(self.lines))

    def folds(self, count, *, seed):
        """The fold of each row, int array [rows]; see `fold_of_rows`."""
        # Numbers, and combinations of labels, are no classes: many of them stand alone.
        is_stratified = min(collections.Counter(self.labels).values()) > 1
        return fold_of_rows(self.labels, folds=count, seed=seed, is_stratified=is_stratified)

    def where(self, row):
        """What an error calls a row: its file and line.

        >>> rows.where(0)   # 'train.tsv, line 2'
        """
        return f"{self.source}, example {row}" if self.lines is None else f"{self.source}, line {self.lines[row]}"

    def hash(self):
        """What tells one labelled set from another, wherever it lies."""
        return hashlib.sha256(json.dumps([self.columns, self.labels]).encode("ascii")).hexdigest()


def read_labelled_texts(source, *, text_columns, label_column=None, several_labels=False):
    """Reads the texts and labels of a file, or of a data set that tensorflow-datasets knows.

    The format follows from the name, which may end in .gz or .xz: .tsv (a tab between two fields, no quoting: a `"` is
    a character like others), .csv (quoted fields may hold commas and line ends) or .jsonl (an object in each line). The
    first row of a .tsv or .csv names the columns; where all columns are asked for by number ("0", or "-1" for the
    last), the file has no such row. A row that does not fit is refused; only in a .tsv with the line of names of GLUE's
    QQP it is skipped, and stderr tells how many there are.

    Args:
        source: path of a file, or "tfds:NAME@SPLIT", such as "tfds:glue/sst2@train".
        text_columns: names of columns: one, two for pairs, or as many as a task reads.
        label_column: name of the column, or None.
        several_labels: whether the label of a .jsonl may be a list.

    Returns:
        LabelledTexts.

    Raises:
        InputError: names the file and line of what cannot be read, or the columns that exist.

    >>> read_labelled_texts("train.tsv.gz", text_columns=["sentence"], label_column="label").labels   # ['neg', ...]
    """
    source = str(source)
    if not text_columns:
        raise InputError(f"{source}: no text columns were asked for; give one, or two for pairs.")
    names = [*text_columns, *([] if label_column is None else [label_column])]
    lines = None
    if source.startswith(TFDS_PREFIX):
        columns = read_tfds_columns(source, names)
    else:
        lines, *columns = _read_columns(pathlib.Path(source), names,
                                        list_place=len(text_columns) if several_labels else None)
    if not columns[0]:
        raise InputError(f"{source} holds no rows; give a file with one example in a row.")
    texts, labels = tuple(columns[:len(text_columns)]), None
    if label_column is not None:
        labels = columns[-1]
    return LabelledTexts(source, texts, labels, lines)


def _read_columns(path, names, *, list_place):
    """The line of each row, and one list of str for each name; labels and texts alike.

    In a .jsonl the field of the name at `list_place` may be a list; None allows it nowhere.
    """
    suffix = pathlib.Path(path.stem if path.suffix.lower() in _PACKED else path.name).suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(f"{path}: the name tells no format; expected one that ends in {', '.join(_FORMATS)}, "
                         f"packed as {' or '.join(_PACKED)} or not.")
    lines = LineReader(path, errors="strict", longest_line_bytes=None)
    if suffix == ".jsonl":
        rows = _json_rows(lines, names, list_place)
    else:
        rows = _table_rows(_tsv_fields(lines) if suffix == ".tsv" else _csv_fields(lines), names, path)
    columns = list(zip(*rows, strict=True))
    return [list(column) for column in columns] or [[] for _ in range(1 + len(names))]


def _tsv_fields(lines):
    header, skipped = None, []
    for line in lines:
        if not line.text:
            continue
        fields = line.text.split("\t")
        header = header or fields
        if header == _HEADER_OF_QQP and len(fields) != len(header):
            skipped.append(line.number)
        else:
            yield line.number, fields
    if skipped:
        print(f"{lines.path}: {len(skipped)} rows do not have the {len(header)} fields of the others, as happens in "
              f"the official files of QQP, and are skipped; the first is in line {skipped[0]}.", file=sys.stderr)


def _csv_fields(lines):
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader((line.text + "\n" for line in lines), strict=True)
    try:
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except csv.Error as error:
        raise InputError(f"{lines.path}, line {reader.line_num}: not CSV ({error}); quote fields with \" and write a "
                         f"\" inside a field twice, or name a file without quoting .tsv.") from None


def _table_rows(numbered_fields, names, path):
    """Line and wanted fields of each row, where every row has as many fields as the first."""
    numbered_fields = iter(numbered_fields)
    first_line, first = next(numbered_fields, (None, None))
    if first is None:
        return []
    where = f"{path}, line {first_line}"
    if all(_NUMBER.fullmatch(name) for name in names):
        places = [_place_of_number(int(name), len(first), where) for name in names]
        rows = [[first_line, *(first[place] for place in places)]]
    else:
        places = [_place_of_name(name, first, where) for name in names]
        rows = []
    for number, fields in numbered_fields:
        if len(fields) != len(first):
            raise InputError(f"{path}, line {number}: {len(fields)} fields, but the first row has {len(first)}; "
                             f"correct or remove the line.")
        rows.append([number, *(fields[place] for place in places)])
    return rows


def _place_of_number(number, width, where):
    if not -width <= number < width:
        raise InputError(f"{where}: column {number} does not exist; the line has {width} fields, numbered from 0, or "
                         f"from -1 for the last.")
    return number % width


def _place_of_name(name, header, where):
    if header.count(name) != 1:
        found = "does not exist" if name not in header else "exists twice"
        raise InputError(f"{where}: column {name!r} {found}; the columns are {some_names(header, most=20)}. A file "
                         f"without a line of names is read by numbers: 0, 1, ... or -1 for the last.")
    return header.index(name)


def _json_rows(lines, names, list_place):
    rows = []
    for line in lines:
        if not line.text.strip():
            continue
        where = f"{lines.path}, line {line.number}"
        try:
            record = json.loads(line.text)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}, column {error.colno}: not JSON ({error.msg}).") from None
        if not isinstance(record, dict):
            raise InputError(f"{where} holds a {type(record).__name__}; expected a JSON object {{...}}.")
        rows.append([line.number, *(_json_field(record, name, where, may_be_list=place == list_place)
                                    for place, name in enumerate(names))])
    return rows


def _json_field(record, name, where, *, may_be_list):
    if name not in record:
        raise InputError(f"{where}: {name!r} does not exist; the names are {some_names(record, most=20)}.")
    value, what = record[name], f"{where}: {name!r}"
    if not isinstance(value, list):
        return _json_text(value, what)
    if not may_be_list:
        raise InputError(f"{what} is {json.dumps(value)[:60]}; expected a string or a number (a list is read as the "
                         f"labels of the task multi_label only); correct or remove the line.")
    return json.dumps([_json_text(label, f"{what}[{place}]") for place, label in enumerate(value)], ensure_ascii=False)


def _json_text(value, what):
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{what} is {json.dumps(value)[:60]}; expected a string or a number; correct or remove the "
                         f"line.")
    return whole_characters(str(value))
