"""What results show of one galaxy: values, models, images and figures."""

import numpy as np

from sersicnet._rows import check_row
from sersicnet.diagnostics.html import table_html
from sersicnet.flags import decode_flags
from sersicnet.parameters import PARAMETERS, PIXEL_SHAPE
from sersicnet.preprocessing.drawing import draw_model, draw_parts, parts2d, sersic2d
from sersicnet.preprocessing.foreign import foreign_parts, write_galfit, write_imfit
from sersicnet.preprocessing.images import as_image
from sersicnet.preprocessing.sources import measure_shape

__all__ = ["Looks"]

# Rows that notebooks show.
_MOST_ROWS = 20


class Looks:
    """Base of `~sersicnet.SersicResults`: what these show of one galaxy."""

    def values(self, index, **known):
        """Return the seven parameters of one galaxy, predicted or given.

        Parameters
        ----------
        index : int
            Row of the galaxy.
        **known : float
            Parameters that were not predicted, in the units of `~sersicnet.parameters.PARAMETERS`.

        Returns
        -------
        dict of float

        Raises
        ------
        ValueError
            If some are neither predicted nor given, one has an unknown name, or the prediction
            is NaN.
        """
        check_row(index, len(self))
        if self.parts_of(index):
            msg = f"model {self.meta['MODEL']!r} is not one Sersic profile: to_table has its parts"
            raise ValueError(msg)
        unknown = [name for name in known if name not in PARAMETERS]
        if unknown:
            msg = f"{', '.join(unknown)}: the parameters are {', '.join(PARAMETERS)}"
            raise ValueError(msg)
        values = {name: float(rows[index]) for name, rows in self._medians().items()} | known
        missing = [name for name in PARAMETERS if name not in values]
        if missing:
            msg = f"{', '.join(missing)} were not predicted: give them as arguments"
            raise ValueError(msg)
        if not np.isfinite(list(values.values())).all():
            self._raise_missing(index)
        return values

    def _medians(self):
        """Return the medians of the posteriors by name, also of what is not detected."""
        return dict(zip(self.parameters, self.quantiles[:, 1], strict=True))

    def _raise_missing(self, index):
        why = ", ".join(decode_flags(self.flags[index])) or "one profile is not likely enough"
        msg = f"galaxy {index} was not measured: {why}"
        raise ValueError(msg)

    def _values_in_pixels(self, index, **known):
        """Return the seven parameters, with ``r_eff`` and ``q`` of the ellipse in pixels."""
        in_pixels = {name: known.pop(name) for name in PIXEL_SHAPE if name in known}
        if len(in_pixels) == 1:
            msg = f"{next(iter(in_pixels))} is given alone: r_eff_pix and q_pix belong together"
            raise ValueError(msg)
        frame = self.frame[index]
        if not (in_pixels or frame.is_square or {"r_eff", "q"} & set(known)):
            in_pixels = {name: float(rows[index]) for name, rows in self.pixel_shapes.items()}
        return frame.in_pixels(self.values(index, **known) | in_pixels)

    def to_model(self, index, *, component=None, **known):
        """Return a galaxy as a model of `astropy.modeling`, before the PSF.

        Parameters
        ----------
        index : int
            Row of the galaxy.
        component : str, optional
            One part of several, such as ``'bulge'``; by default their sum.
        **known : float or array
            Parameters that were not predicted, or that replace those that were (such as all
            samples), in the units of the table, or ``r_eff_pix`` and ``q_pix``.

        Returns
        -------
        `~astropy.modeling.functional_models.Sersic2D` or `~astropy.modeling.CompoundModel`
            In pixels of the cutout and in its unit, with arrays where ``known`` are arrays; the
            amplitude is that at ``r_eff`` (Graham & Driver 2005, PASA 22, 118, eq. 4). A point
            source is a `~astropy.modeling.functional_models.Gaussian2D` of 0.1 pixels with its
            light: draw it on a grid of ten or more points to a pixel. Other profiles are models of
            `sersicnet.model`, such as `~sersicnet.model.King2D`.
        """
        check_row(index, len(self))
        parts = self.parts_of(index)
        if parts or component:
            if np.isnan(self._medians()["mag"][index]):
                self._raise_missing(index)
            values = {name: rows[index] for name, rows in self.columns.items()}
            values |= {name: rows[index] for name, rows in self._medians().items()}
            return parts2d(values, parts, self.frame[index], component=component, known=known)
        values = self._values_in_pixels(index, **known)
        zeropoint = self.frame.zeropoint[index]
        return sersic2d(values, zeropoint=zeropoint, pixel_scale=self.frame.pixel_scale[index])

    def model_image(
        self, index, cutout, *, psf=None, psf_oversampling=None, sky=None, component=None, **known
    ):
        """Render a galaxy as it would look in the cutout, without noise.

        Parameters
        ----------
        index : int
            Row of the galaxy.
        cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
            The cutout that it was predicted from.
        psf : (K, L) array_like, optional
            Star-like stamp; by default that of the prediction, normalized and sampled as there.
        psf_oversampling : int, optional
            Pixels of ``psf`` on a side of a pixel of the cutout; by default as in the prediction.
        sky : bool, optional
            Whether to add the sky that was fitted; by default to the whole, not to a component.
        component : str, optional
            The part to render, such as ``'bulge'``; by default all.
        **known : float
            Parameters that were not predicted. Angle and center, where neither predicted nor
            given, are those of the second moments of the cutout
            (`~sersicnet.preprocessing.measure_shape`).

        Returns
        -------
        (ny, nx) `~numpy.ndarray`
            In the unit of the cutout.

        Raises
        ------
        TypeError, ValueError
            If the cutout is not the one that was measured, there is no PSF, or no prediction.
        """
        check_row(index, len(self))
        sky = component is None if sky is None else sky
        cutout = as_image(cutout, "cutout")
        self.inputs.check(index, cutout, self.shapes[index])
        psfs = self.inputs.find_psf(index, cutout, psf, psf_oversampling)
        if self.parts or component:
            if np.isnan(self._medians()["mag"][index]):
                self._raise_missing(index)
            one = self.posterior[[index]], self.frame[[index]], psfs, cutout.data.shape
            image = draw_parts(*one, component=component, known=known)
        else:
            absent = {"theta", "x_0", "y_0"} - set(self.parameters) - set(known)
            if absent:
                shape = measure_shape(cutout)
                known |= {name: shape[name] for name in absent}
            values = self._values_in_pixels(index, **known)
            image = draw_model(values, self.frame[[index]], psfs, cutout.data.shape)
        if sky and "sky" in self.columns:
            image += np.nan_to_num(self.columns["sky"][index])
        return image

    def residual(self, index, cutout, *, psf=None, psf_oversampling=None, **known):
        """Return the cutout minus `model_image` with its sky, (ny, nx) `~numpy.ndarray`."""
        image = self.model_image(index, cutout, psf=psf, psf_oversampling=psf_oversampling, **known)
        return np.asarray(as_image(cutout, "cutout").data, dtype=float) - image

    def show(self, index, cutout, *, psf=None):
        """Draw image, model, residual and profile of a galaxy, with its numbers and flags.

        Parameters
        ----------
        index : int
            Row of the galaxy.
        cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
            The cutout that it was predicted from.
        psf : (K, L) array_like, optional
            Star-like stamp; by default that of the prediction.

        Returns
        -------
        `~matplotlib.figure.Figure`
            Which notebooks show, see `~sersicnet.plotting.plot_galaxy`.
        """
        from sersicnet.plotting import plot_galaxy

        check_row(index, len(self))
        return plot_galaxy(cutout, self, index=index, psf=psf)

    def _repr_html_(self):
        """Write the first rows for a notebook: numbers with errors and units, flags in words."""
        shown = self[:_MOST_ROWS].to_table()
        return table_html(shown, n_rows=len(self), about=repr(self).strip("<>"))

    def to_galfit(self, path, *, index=None, model=None, **files):
        """Write a galaxy as an input file of GALFIT, which starts from what was measured.

        Parameters
        ----------
        path : str or path-like
            The file. The file ``<path>.constraints`` holds what several parts have together, and
            limits. Existing files are replaced.
        index : int, optional
            Row of the galaxy; not needed if there is one.
        model : `~sersicnet.Model`, optional
            The model that was fitted, whose limits are written; by default there are none.
        **files : str
            Names of ``image``, ``sigma``, ``psf`` and ``mask`` for GALFIT, by default none.

        Returns
        -------
        `~pathlib.Path`
            The file. What was fixed is fixed, all other parameters are free.

        Raises
        ------
        TypeError
            If a name of a file has another argument.
        ValueError
            If the galaxy was not measured, there are several and none is named, or ``model`` is not
            what was fitted.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If the fit had priors that the file does not have.
        """
        parts = foreign_parts(self, self._only(index), model)
        return write_galfit(path, parts, files)

    def to_imfit(self, path, *, index=None, model=None):
        """Write a galaxy as a configuration file of imfit, which starts from what was measured.

        Parameters
        ----------
        path, index, model
            As in `to_galfit`. What parts have together, other than the center, is a comment, since
            imfit cannot tie parameters.

        Returns
        -------
        `~pathlib.Path`

        Raises
        ------
        TypeError, ValueError
            As in `to_galfit`.
        """
        return write_imfit(path, foreign_parts(self, self._only(index), model))

    def _only(self, index):
        """Return the row that is written to a file."""
        if index is None and len(self) != 1:
            msg = f"index=None: there are {len(self)} galaxies, and a file holds one"
            raise ValueError(msg)
        index = 0 if index is None else index
        check_row(index, len(self))
        return index
