"""Where figures are drawn, for `sersicnet.plotting`."""

import numpy as np
from matplotlib.figure import Figure


def canvas(figure, ax, size, **options):
    """The figure to draw several panels on: that given, one in the place of ``ax``, or our own."""
    if ax is None:
        return figure or Figure(figsize=size, **options)
    if figure is not None or ax.get_subplotspec() is None:
        msg = "ax must be one of figure.subplots(), in the place of which is drawn, without figure"
        raise ValueError(msg)
    parent, spec = ax.figure, ax.get_subplotspec()
    ax.remove()
    return parent.add_subfigure(spec)


def panels(axes, n, *, height):
    """Axes for ``n`` panels, and whether they are our own."""
    if axes is not None:
        axes = list(np.ravel(axes))
        if len(axes) != n:
            msg = f"axes ({len(axes)}) must be as many as the parameters ({n})"
            raise ValueError(msg)
        return axes, False
    n_columns = n if n <= 3 else -(-n // 2) if n != 4 else 2
    n_rows = -(-n // n_columns)
    figure = Figure(figsize=(1.1 * height * n_columns + 0.8, height * n_rows), layout="constrained")
    return grid(figure, n, n_rows, n_columns), True


def grid(figure, n, n_rows, n_columns):
    """The first ``n`` axes of a grid, row by row."""
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax in axes[n:]:
        ax.remove()
    return list(axes[:n])
