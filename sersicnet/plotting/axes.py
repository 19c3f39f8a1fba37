"""Figures and axes to draw on."""

import numpy as np
from matplotlib.figure import Figure


def canvas(figure, ax, size, **options):
    """Find the figure to draw several panels on.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`, subfigure or None
        The figure that the user passed.
    ax : `~matplotlib.axes.Axes` or None
        Axes that the user passed, which a subfigure replaces.
    size : (float, float)
        Width and height, in inches, of a new figure where the user passed neither.
    **options
        Options of the new figure.

    Returns
    -------
    `~matplotlib.figure.Figure` or subfigure

    Raises
    ------
    ValueError
        If ``ax`` does not have a place in a grid, or comes with a ``figure``.
    """
    if ax is None:
        return figure or Figure(figsize=size, **options)
    if figure is not None or ax.get_subplotspec() is None:
        msg = (
            "ax must be one of figure.subplots(), which the panels replace, and is not used "
            "together with figure"
        )
        raise ValueError(msg)
    parent = ax.figure
    spec = ax.get_subplotspec()
    ax.remove()
    return parent.add_subfigure(spec)


def panels(axes, n, *, height):
    """Make axes for ``n`` panels, or check those that the user passed.

    Parameters
    ----------
    axes : sequence of `~matplotlib.axes.Axes` or None
        Axes that the user passed.
    n : int
        Number of panels.
    height : float
        Height of a panel, in inches.

    Returns
    -------
    list of `~matplotlib.axes.Axes`

    Raises
    ------
    ValueError
        If the number of axes is not ``n``.
    """
    if axes is not None:
        axes = list(np.ravel(axes))
        if len(axes) != n:
            msg = f"axes ({len(axes)}) must be as many as the parameters ({n})"
            raise ValueError(msg)
        return axes
    if n <= 3:
        n_columns = n
    elif n == 4:
        n_columns = 2
    else:
        n_columns = -(-n // 2)
    n_rows = -(-n // n_columns)
    figure = Figure(figsize=(1.1 * height * n_columns + 0.8, height * n_rows), layout="constrained")
    return grid(figure, n, n_rows, n_columns)


def grid(figure, n, n_rows, n_columns):
    """Make the first ``n`` axes of a grid, row by row."""
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax in axes[n:]:
        ax.remove()
    return list(axes[:n])
