"""The one error class that is meant to be read by the person who runs a job."""


class InputError(ValueError):
    """One sentence for the user: where (flag, file, line), what was found, what was expected, what to do.

    Jobs print it without a traceback and end with exit code 2; everything else is a defect of ours and
    keeps its traceback.

    >>> raise InputError("--corpus: news.txt does not exist; give a file, a folder or a glob.")
    """
