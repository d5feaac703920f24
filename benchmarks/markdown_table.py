"""A table in Markdown."""


def markdown(rows):
    """Markdown of a table whose first row is the header.

    >>> markdown([("side", "tokens/s"), ("ours", 3400)])   # '| side | tokens/s |\\n| --- | --- |\\n| ours | 3400 |'
    """
    header, *body = [[str(cell) for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
