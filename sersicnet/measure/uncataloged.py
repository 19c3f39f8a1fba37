"""Light of sources that are detected and not in a catalog, which forced photometry masks."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sersicnet.preprocessing.windows import cut

__all__ = ["UncatalogedLight"]

# Pixels by which this light is widened, as in `mask_neighbors`.
_GROW = 2


@dataclass(frozen=True, eq=False)
class UncatalogedLight:
    """The light of a window, and which of it is not that of sources of a catalog.

    Islands beyond the tile are not deblended, and what is hidden must not depend on tiles: of the
    island of a source, all parts count, of others only whether a source of the catalog is in them.

    Attributes
    ----------
    labels, islands : 2-D int `~numpy.ndarray`
        Numbers of deblended sources, and of islands of light.
    parts : 2-D bool `~numpy.ndarray`
        Parts of islands without a source of the catalog.
    foreign : 2-D bool `~numpy.ndarray`
        Islands without one, widened.
    origin : (int, int)
        y and x of the first pixel.
    """

    labels: np.ndarray
    islands: np.ndarray
    parts: np.ndarray
    foreign: np.ndarray
    origin: tuple

    @classmethod
    def of(cls, sources, centers):
        """Find what is hidden.

        Parameters
        ----------
        sources : `~sersicnet.measure.detection.Sources`
            The sources of a tile.
        centers : (M, 2) `~numpy.ndarray`
            x and y of the sources of the catalog.

        Returns
        -------
        UncatalogedLight
        """
        labels = sources.labels
        islands, _ = ndimage.label(labels > 0, np.ones((3, 3)))
        places = np.floor(centers[:, ::-1] + 0.5).astype(int) - sources.window.origin
        inside = ((places >= 0) & (places < labels.shape)).all(axis=1)
        places = tuple(places[inside].T)
        foreign = (islands > 0) & ~np.isin(islands, islands[places])
        parts = (labels > 0) & ~np.isin(labels, labels[places])
        foreign = ndimage.binary_dilation(foreign, iterations=_GROW)
        return cls(labels, islands, parts, foreign, sources.window.origin)

    def hidden(self, center, corner, shape):
        """Return the pixels of a cutout with light of what is not in the catalog.

        Parameters
        ----------
        center : (float, float)
            x and y of the source.
        corner : (int, int)
            y and x of the first pixel of the cutout in the window.
        shape : (int, int)
            Shape of the cutout.

        Returns
        -------
        2-D bool `~numpy.ndarray`
        """
        place = tuple(np.floor(center[::-1] + 0.5).astype(int) - self.origin)
        hidden = cut(self.foreign, corner, shape, fill=False)
        if self.islands[place]:
            parts = cut(
                self.parts & (self.islands == self.islands[place]), corner, shape, fill=False
            )
            own = cut(self.labels == self.labels[place], corner, shape, fill=False)
            hidden |= ndimage.binary_dilation(parts, iterations=_GROW) & ~own
        return hidden
