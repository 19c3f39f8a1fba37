"""PSFs that are made from the stars of simulated images, beside PSFEx and photutils.

::

    python -m benchmarks.psf_auto docs/_static/psf_auto

Fields (`benchmarks.sets.star_fields`) of 5 to 300 stars and as many galaxies, with the PSF of the
ground, of a telescope without an atmosphere, and one that changes. Stars are found by
`sersicnet.measure.psf_from_stars`; the same stars make PSFs by PSFEx (if it is installed), by
photutils' ``EPSFBuilder``, and by the mean of stars that are moved to their middle; of the latter
two, one for the whole field. At nine places of the field each is compared with the true PSF, and at
random places galaxies are measured by the network with both.
"""

import galsim
import numpy as np
import torch
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table

from benchmarks.common.command import make_parser
from benchmarks.common.psfex import has_psfex, psfex_psf
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets.star_fields import KINDS, PIXEL_SCALE, profile_at, star_field, true_stamp
from sersicnet import SersicNet
from sersicnet.measure import field_psf, psf_from_stars
from sersicnet.measure.star_images import Canvas, fit_stars
from sersicnet.model.psf_center import psf_offset, shifted_stamp

# Stars of a field, and its side in pixels.
FIELDS = {5: 500, 10: 600, 20: 800, 50: 1000, 300: 2000}
SEEDS = (1, 2, 3)
N_GALAXIES = 48
_RADIUS = 2.0
_SNR = 100.0
_SIDE = 63


def main(arguments=None):
    """Make the PSFs, and write the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--stars", type=int, nargs="+", default=list(FIELDS), help="numbers")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="PSFs")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="seeds of fields")
    parser.add_argument("--galaxies", type=int, default=N_GALAXIES, help="galaxies of a field")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    net = SersicNet.from_pretrained()
    rows = []
    for kind in options.kinds:
        for n_stars in options.stars:
            found = [_errors(kind, n_stars, seed, options.galaxies, net) for seed in options.seeds]
            rows += _rows(kind, n_stars, found)
            write_rounded(Table(rows), options.output / "psf_auto.csv", decimals=4)
    print_table(Table(rows))


def _rows(kind, n_stars, found):
    """The mean of the fields of several seeds, a row per method."""
    rows = []
    for method in dict.fromkeys(name for errors in found for name in errors):
        each = [errors[method] for errors in found if method in errors]
        row = {"PSF": kind, "stars": n_stars, "method": method, "fields": len(each)}
        for name in each[0]:
            row[name] = float(np.sqrt(np.mean([one[name] ** 2 for one in each])))
        rows.append(row)
    return rows


def _errors(kind, n_stars, seed, n_galaxies, net):
    """The errors of the PSFs of each method in a field; empty where it has too few stars."""
    side = FIELDS.get(n_stars, 600)
    field = star_field(kind, n_stars=n_stars, n_galaxies=2 * n_stars, side=side, seed=seed)
    try:
        ours = psf_from_stars(field.image)
    except ValueError:  # too few of the stars are isolated
        return {}
    psfs = {"sersicnet": ours, "EPSFBuilder": _epsf(ours), "mean": _mean(ours)}
    if has_psfex():
        degree = 2 if len(ours.stamps) > 1 else 0
        places = (np.asarray(ours.stars.table[axis]) for axis in "xy")
        settings = {"side": _side(ours), "oversampling": ours.oversampling}
        psfs["PSFEx"] = psfex_psf(field.image, *places, degree=degree, **settings)
    galaxies = _Galaxies(kind, side, n_galaxies, seed, net)
    errors = {}
    for method, psf in psfs.items():
        if psf is not None:
            light = [_light_error(psf, kind, place, side) for place in _places(side)]
            errors[method] = {"light": np.sqrt(np.mean(np.square(light)))}
            errors[method] |= galaxies.errors(psf)
    return errors


def _side(psf):
    """Pixels of the image on a side of the stamps of stars."""
    return psf.stars.data.shape[-1]


def _epsf(ours):
    """The PSF by photutils' EPSFBuilder, with its defaults but for the oversampling."""
    from photutils.psf import EPSFBuilder, EPSFStar, EPSFStars

    stars = ours.stars
    half = _side(ours) // 2
    cut = []
    for row in range(len(stars)):
        weights = np.where(stars.bad[row], 0.0, 1 / stars.noise[row])
        place = (stars.table["x"][row], stars.table["y"][row])
        center = np.array(place) - stars.first[row][::-1]
        cut.append(EPSFStar(stars.data[row], weights=weights, cutout_center=center))
    builder = EPSFBuilder(oversampling=ours.oversampling, progress_bar=False)
    found = builder(EPSFStars(cut)).epsf
    n = ours.oversampling * half
    middle = np.array(found.data.shape) // 2
    stamp = found.data[middle[0] - n : middle[0] + n + 1, middle[1] - n : middle[1] + n + 1]
    return field_psf(stamp, oversampling=ours.oversampling)


def _mean(ours):
    """The mean of the stars on the pixels of the image, moved to the middle, by their S/N."""
    stars = ours.stars
    canvas = Canvas(_side(ours) // 2, ours.oversampling)
    middle = ours.at((ours.shape[1] - 1) / 2, (ours.shape[0] - 1) / 2)
    fits = fit_stars(stars, canvas, canvas.transform(canvas.place(middle)))
    total = 0.0
    for row in range(len(stars)):
        star = fits.flux[row] * fits.images[row] + fits.residuals[row]
        moved = shifted_stamp(star / star.sum(), (-fits.dx[row], -fits.dy[row]))
        total = total + fits.snr[row] ** 2 * moved
    return field_psf(total)


def _places(side):
    return [(x * side, y * side) for x in (0.1, 0.5, 0.9) for y in (0.1, 0.5, 0.9)]


def _light_error(psf, kind, place, side):
    """Relative error of the light within 2 pixels, as a share of that of the stamp."""
    stamp = psf.at(*place)
    size = (len(stamp) - 1) // psf.oversampling + 1  # of stamps with as many pixels
    true = true_stamp(kind, *place, side, size=size, oversampling=psf.oversampling)
    return _near(stamp, psf.oversampling) / _near(true, psf.oversampling) - 1


def _near(stamp, oversampling):
    """Light within 2 pixels of the star, as a share of all."""
    offset = oversampling * psf_offset(stamp / stamp.sum(), oversampling)
    n = (len(stamp) - 1) / 2
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    distance = np.hypot(x - offset[0], y - offset[1])
    share = np.clip(oversampling * _RADIUS + 0.5 - distance, 0, 1)
    return np.sum(share * stamp) / stamp.sum()


class _Galaxies:
    """Galaxies of a field, and what the network says of them with the true PSF."""

    def __init__(self, kind, side, n_galaxies, seed, net):
        rng = np.random.default_rng([seed, side])
        self.net = net
        self.places = rng.uniform(0.05 * side, 0.95 * side, (n_galaxies, 2))
        self.cutouts = [_cutout(kind, place, side, rng) for place in self.places]
        oversampling = 2 if kind == "airy" else 1
        stamps = []
        for place in self.places:
            stamps.append(true_stamp(kind, *place, side, size=_SIDE, oversampling=oversampling))
        self.true = self._measure(stamps, oversampling)

    def errors(self, psf):
        """Root mean square of the changes of log r_eff and n by a PSF in the place of the true."""
        found = self._measure([psf.at(*place) for place in self.places], psf.oversampling)
        names = ("r_eff (dex)", "n (dex)")
        return {
            name: float(np.sqrt(np.nanmean(np.log10(new / true) ** 2)))
            for name, new, true in zip(names, found, self.true, strict=True)
        }

    def _measure(self, stamps, oversampling):
        results = self.net.predict(self.cutouts, psf=stamps, psf_oversampling=oversampling)
        table = results.to_table()
        return np.asarray(table["r_eff"].value), np.asarray(table["n"])


def _cutout(kind, place, side, rng):
    """A galaxy of a radius of 1 to 6 pixels with a S/N of 100 in its PSF's area."""
    radius = 10 ** rng.uniform(0.0, 0.8)
    galaxy = galsim.Sersic(rng.uniform(0.8, 4.0), half_light_radius=radius)
    galaxy = galaxy.shear(q=rng.uniform(0.4, 0.95), beta=rng.uniform(0, 180) * galsim.degrees)
    image = galsim.Convolve(galaxy, profile_at(kind, *place, side))
    image = image.drawImage(nx=81, ny=81, scale=1, method="no_pixel").array.astype(float)
    image *= _SNR / np.sqrt(np.sum(image**2))
    noise = np.ones(image.shape)
    meta = {"PIXSCALE": PIXEL_SCALE, "MAGZP": 30.0}
    data = image + rng.normal(size=image.shape)
    return CCDData(data, unit="adu", uncertainty=StdDevUncertainty(noise), meta=meta)


if __name__ == "__main__":
    main()
