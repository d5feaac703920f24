"""The rate at which a library multiplies large matrices: what is called the peak of a machine."""

import time

_SHAPES = ((2048, 2048, 2048), (4096, 1024, 1024), (2048, 1024, 4096))  # rows, inner, columns
_SECONDS = 0.2


def matmul_peak(product_of):
    """FLOP/s, the best of a few large shapes.

    Args:
        product_of: function (rows, inner, columns) -> function that makes one product and returns when it is there.

    >>> matmul_peak(lambda rows, inner, columns: lambda: left[rows, inner] @ right[inner, columns])   # 1.7e11
    """
    best = 0.0
    for rows, inner, columns in _SHAPES:
        product = product_of(rows, inner, columns)
        product()
        began, products = time.perf_counter(), 0
        while time.perf_counter() - began < _SECONDS:
            product()
            products += 1
        best = max(best, 2 * rows * inner * columns * products / (time.perf_counter() - began))
    return best
