"""What a report consists of, as plain data."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under column names.

    Attributes:
        header: names of the columns.
        rows: sequences of str, int, float (shown with four digits) or None (shown as a dash); a column of numbers is
            set to the right.
        caption: one line that says what the table shows.
        marked: places of rows that stand out.
    """

    header: tuple
    rows: tuple
    caption: str
    marked: tuple = ()


@dataclasses.dataclass(frozen=True)
class Curves:
    """A number over the updates, one curve for each trial; mean and spread are drawn where there are several.

    Attributes:
        name: of the number.
        curves: dict of trial name -> list of (step, value).
        faded: names of trials that count no longer (collapsed ones): drawn, but no part of mean and spread.
    """

    name: str
    curves: dict
    faded: tuple = ()


@dataclasses.dataclass(frozen=True)
class Histogram:
    """How often which numbers occur, for one set of numbers or more.

    Attributes:
        name: of the numbers.
        values: dict of what they are -> floats, at least one for each.
        counted: what each number stands for.
        as_shares: shares of each set instead of counts, so that a small set is seen beside a large one.
    """

    name: str
    values: dict
    counted: str = "examples"
    as_shares: bool = False


@dataclasses.dataclass(frozen=True)
class Confusion:
    """How often each label was taken for which.

    Attributes:
        labels: names.
        counts: int array [labels, labels], true label in the row.
        counted: what is counted.
    """

    labels: tuple
    counts: np.ndarray
    counted: str = "examples"


@dataclasses.dataclass(frozen=True)
class ColouredText:
    """A text whose parts speak for something or against it.

    Attributes:
        heading: what it is and what was answered.
        parts: list of (text, value): a value above 0 speaks for it, below 0 against it; None is left uncoloured.
    """

    heading: str
    parts: list


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading, a sentence (or ""), and parts: any of the classes above. A folded section opens at a click."""

    title: str
    note: str
    parts: tuple
    is_folded: bool = False


@dataclasses.dataclass(frozen=True)
class Report:
    """The whole page.

    Attributes:
        title: also of the browser's window.
        lead: a sentence or two below it.
        facts: list of (name, value as str, note or ""): the few numbers that matter.
        sections: tuple of Section.
    """

    title: str
    lead: str
    facts: list
    sections: tuple
