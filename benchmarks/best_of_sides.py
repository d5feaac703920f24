"""How much faster the best of this package is than the best peer."""


def ratios(rows, precisions, names):
    """The best peer's time over our best, of each thing that was measured, both out of the same precisions.

    Args:
        rows: list of dict with is_ours, precision, and timings: name -> dict with "median" in seconds, or None; rows
            with a true "differs" did not do the same work and are left out.
        precisions: those that count.
        names: what was measured.

    Returns:
        Dict of name -> float, None where one of the two sides was not measured.

    >>> ratios([{"is_ours": True, "precision": "float32", "timings": {"epoch": {"median": 2.0}}},
    ...         {"is_ours": False, "precision": "float32", "timings": {"epoch": {"median": 3.0}}}],
    ...        ["float32"], ["epoch"])   # {"epoch": 1.5}
    """
    def best(name, is_ours):
        medians = [row["timings"].get(name, {}).get("median") for row in rows
                   if row["is_ours"] == is_ours and row["precision"] in precisions and not row.get("differs")]
        return min(filter(None, medians), default=None)
    pairs = {name: (best(name, False), best(name, True)) for name in names}
    return {name: peer / ours if peer and ours else None for name, (peer, ours) in pairs.items()}


def ratio_rows(found, *, title, columns):
    """Rows of a table, one for each dictionary that `ratios` returned.

    Args:
        found: name of the row -> what `ratios` returned.
        title: the column of that name.
        columns: what was measured -> its column.

    Returns:
        List of dict of column -> text.

    >>> ratio_rows({"all": {"epoch": 1.5}}, title="side", columns={"epoch": "s"})   # [{"side": "all", "s": "1.50x"}]
    """
    return [{title: told, **{column: "-" if values[name] is None else f"{values[name]:.2f}x"
                             for name, column in columns.items()}} for told, values in found.items()]


def cells(rows):
    """The header and the lines of a table of dictionaries, for `markdown`; what a row lacks is empty."""
    header = list(dict.fromkeys(column for row in rows for column in row))
    return [header, *([row.get(column, "") for column in header] for row in rows)]
