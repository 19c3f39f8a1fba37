"""How often flags find images that are not of a single Sersic galaxy, and spare those that are.

::

    python -m benchmarks.validation_sets --directory DIR
    python -m benchmarks.outliers DIR docs/_static/calibration

False positives are counted among the galaxies of the validation sets in DIR; true positives among
stars, blends, artifacts and galaxies with structure, which are drawn here by GalSim with the same
PSFs. The kinds "galaxy" and "drizzled" are single Sersic galaxies too, in white and in correlated
noise. With ``--refine lm``, fits are judged instead of the network. Fluxes are in units of the
background's noise in a pixel, lengths in pixels.
"""

from functools import lru_cache
from itertools import pairwise

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable, vstack
from scipy.ndimage import gaussian_filter

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import print_table, share, write_rounded
from benchmarks.sets.galaxies import draw_view, snr
from benchmarks.sets.psfs import CANNOT_DRAW, draw_galaxy, draw_star, psf_stamps
from benchmarks.validation_sets import SETS, load_set
from sersicnet import Flags, SersicNet
from sersicnet.io.weights import weights_path

SIZE = 128
SEED = 7100
# Range of the S/N of the images that are drawn here.
SNR = (20.0, 500.0)
# Largest half-light radius, in pixels.
LARGEST = 14.0
# Smoothing of drizzled noise, in pixels.
_DRIZZLED = 0.6
# Number of views (PSF, gain, noise map) that the images of each kind share.
N_VIEWS = 50
# Edges of the bins of S/N.
BINS = (2, 10, 30, 100, 300, 1000, 20000)
# S/N above which an image is bright.
BRIGHT = 100.0
COLUMNS = ("MISFIT", "HIGH_CHI2", "UNRESOLVED", "LOW_SNR", "OUT_OF_RANGE", "OFF_CENTER")


def main(arguments=None):
    """Draw and measure the images, and write the share of each kind that has each flag."""
    parser = make_parser(__doc__, "sets")
    add_weights(parser)
    add_count(parser, "images of each kind", default=150)
    parser.add_argument(
        "--n-sets", type=int, help="galaxies of each validation set, by default all"
    )
    parser.add_argument("--refine", choices=("lm",), help="judge fits, not the network")
    options = parser.parse_args(arguments)
    net = SersicNet.load(weights_path(options.weights))
    settings = {"refine": options.refine, "recenter_psf": False}
    rows = []
    for name in SETS:
        cutouts, truth = load_set(name, options.sets, n=options.n_sets)
        rows += _set_shares(name, net.predict(cutouts, **settings).flags, truth["snr"])
    for kind in KINDS:
        cutouts = [draw_outlier(kind, i) for i in range(options.n)]
        signal = np.array([cutout.meta["SNR"] for cutout in cutouts])
        rows.append(_shares(kind, net.predict(cutouts, **settings).flags, signal))
    table = vstack(rows)
    name = "outliers.csv" if options.refine is None else f"outliers_{options.refine}.csv"
    write_rounded(table, options.output / name, decimals=3)
    print_table(table)


def _set_shares(name, flags, signal):
    """Return the shares of a validation set, for the prior also in bins of S/N."""
    signal = np.asarray(signal)
    rows = [_shares(name, flags, signal)]
    if name.startswith("prior"):
        for low, high in pairwise(BINS):
            chosen = (signal >= low) & (signal < high)
            rows.append(_shares(f"{name} S/N {low} to {high}", flags[chosen], signal[chosen]))
    return rows


def _shares(kind, flags, signal):
    """Return one row: the shares with each flag, with any, and of bright images with MISFIT."""
    flagged = {name: (flags & int(Flags[name])) != 0 for name in COLUMNS}
    row = {"kind": kind, "n": len(flags)}
    for name, chosen in flagged.items():
        row[name] = share(chosen)
    row["any"] = share(np.any(list(flagged.values()), axis=0))
    bright = signal > BRIGHT
    row[f"MISFIT at S/N > {BRIGHT:.0f}"] = share(flagged["MISFIT"][bright])
    return QTable(rows=[row])


def draw_outlier(kind, index, *, signal=None):
    """Draw an image that is not of one Sersic galaxy, or has a wrong PSF.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    index : int
        Number of the image. The image depends on it and on the kind alone.
    signal : float, optional
        S/N within the half-light ellipse, by default drawn from 20 to 500, log-uniformly.

    Returns
    -------
    `~astropy.nddata.CCDData`
        Cutout with ``uncertainty`` and ``psf``; ``meta`` has also ``SNR``.

    Raises
    ------
    ValueError
        If ``kind`` is not one of ``KINDS``.
    """
    if kind not in KINDS:
        msg = f"kind={kind!r} must be one of {', '.join(KINDS)}"
        raise ValueError(msg)
    for attempt in range(100):
        rng = np.random.default_rng([SEED, list(KINDS).index(kind), index, attempt])
        galaxy, view = _resolved_galaxy(rng, index)
        wanted = np.exp(rng.uniform(*np.log(SNR))) if signal is None else signal
        galaxy["flux"] *= wanted / snr(galaxy)
        try:
            light, add_defect, psf = KINDS[kind](rng, galaxy, view)
        except CANNOT_DRAW:
            continue
        return _make_cutout(rng, light, add_defect, view, psf, snr(galaxy))
    msg = f"GalSim cannot draw {kind} {index}"  # pragma: no cover
    raise RuntimeError(msg)  # pragma: no cover


def _resolved_galaxy(rng, number):
    """Draw a galaxy that is neither smaller than the PSF nor too large for the stamp."""
    galaxy, view = _well_sampled_view(number % N_VIEWS)
    smallest = max(1.5, 0.6 * view.fwhm)
    own = {
        "r_eff": np.exp(rng.uniform(np.log(smallest), np.log(LARGEST))),
        "n": rng.uniform(0.5, 5),
        "q": rng.uniform(0.3, 1),
        "theta": rng.uniform(-90, 90),
        "dx": rng.uniform(-1, 1),
        "dy": rng.uniform(-1, 1),
    }
    return galaxy | own, view


@lru_cache
def _well_sampled_view(number):
    """Draw a galaxy of the prior, and a view with a PSF of 2.5 to 6 pixels."""
    rng = np.random.default_rng([SEED, number])
    galaxy, view = draw_view("prior", rng)
    while not 2.5 < view.fwhm < 6:
        galaxy, view = draw_view("prior", rng)
    return galaxy, view


def _make_cutout(rng, light, add_defect, view, profile, signal):
    """Add noise, then the defect of the detector.

    ``profile`` is the PSF that the user has.
    """
    light = np.clip(light, 0, None)
    data = rng.poisson(light * view.gain) / view.gain + rng.standard_normal(light.shape)
    sigma = np.sqrt(1 + light / view.gain) if view.photon_map else np.ones(light.shape)
    psf, _, _ = psf_stamps(profile, view.psf_size, oversampled=False)
    return CCDData(
        add_defect(data),
        unit="adu",
        uncertainty=StdDevUncertainty(sigma),
        psf=psf,
        meta={"MAGZP": 25.0, "PIXSCALE": 0.1, "SNR": signal},
    )


def _no_defect(data):
    return data


def _center(galaxy):
    return galaxy["dx"], galaxy["dy"]


def _draw(galaxy, view):
    return draw_galaxy(view.profile, galaxy, (SIZE, SIZE), _center(galaxy))


def _clean(_rng, galaxy, view):
    return _draw(galaxy, view), _no_defect, view.profile


def _sky(_rng, galaxy, view):
    # The flux is not zero because its logarithm is taken.
    galaxy["flux"] = 1e-9
    return np.zeros((SIZE, SIZE)), _no_defect, view.profile


def _star(_rng, galaxy, view):
    """Draw a star with the S/N of the galaxy."""
    point = galaxy | {"r_eff": 0.2, "q": 1.0}
    galaxy["flux"] *= snr(galaxy) / snr(point)
    galaxy["r_eff"] = point["r_eff"]
    galaxy["q"] = point["q"]
    light = draw_star(view.profile, galaxy["flux"], (SIZE, SIZE), _center(galaxy))
    return light, _no_defect, view.profile


def _blend(rng, galaxy, view):
    """Add a similar galaxy at a distance of 1 to 3 times the larger of r_eff and FWHM."""
    other = galaxy | {
        "flux": galaxy["flux"] * rng.uniform(0.4, 1),
        "r_eff": galaxy["r_eff"] * rng.uniform(0.6, 1.4),
        "n": rng.uniform(0.5, 4),
        "q": rng.uniform(0.4, 1),
        "theta": rng.uniform(-90, 90),
    }
    distance = rng.uniform(1, 3) * max(galaxy["r_eff"], view.fwhm)
    angle = rng.uniform(0, 2 * np.pi)
    other["dx"] = galaxy["dx"] + distance * np.cos(angle)
    other["dy"] = galaxy["dy"] + distance * np.sin(angle)
    return _draw(galaxy, view) + _draw(other, view), _no_defect, view.profile


def _streak(rng, galaxy, view):
    """Add a cosmic ray through the galaxy, which is not masked and sharper than the PSF."""
    light = _draw(galaxy, view)
    middle = (SIZE - 1) / 2
    start = rng.normal(size=2) * 0.7 * galaxy["r_eff"] + (galaxy["dx"], galaxy["dy"]) + middle
    angle = rng.uniform(0, np.pi)
    length = rng.uniform(4, 25)
    steps = np.arange(-length / 2, length / 2, 0.5)
    columns = np.rint(start[0] + steps * np.cos(angle)).astype(int)
    rows = np.rint(start[1] + steps * np.sin(angle)).astype(int)
    brightness = np.exp(rng.uniform(np.log(20), np.log(500))) + 0.3 * light.max()

    def hit(data):
        inside = (columns >= 0) & (columns < SIZE) & (rows >= 0) & (rows < SIZE)
        data[rows[inside], columns[inside]] += brightness
        return data

    return light, hit, view.profile


def _saturated(rng, galaxy, view):
    """Saturate the core, which is not masked: it bleeds along the columns, or is read as zero."""
    light = _draw(galaxy, view)
    full = light.max() * rng.uniform(0.15, 0.5)
    hole = rng.random() < 0.5

    def saturate(data):
        above = data > full
        if hole:
            return np.where(above, 0, data)
        for column in np.flatnonzero(above.any(axis=0)):
            rows = np.flatnonzero(above[:, column])
            excess = (data[rows, column] - full).sum()
            more = int(min(np.ceil(excess / full), 40))
            first = max(rows[0] - more // 2, 0)
            last = rows[-1] + more // 2
            data[first : last + 1, column] = full
        return data

    return light, saturate, view.profile


def _edge(rng, galaxy, view):
    """Let the detector end within the galaxy: the rest is zero, and is not masked."""
    light = _draw(galaxy, view)
    distance = rng.uniform(0.2, 1) * max(galaxy["r_eff"], view.fwhm)
    turns = int(rng.integers(4))

    def end(data):
        data = np.rot90(data, turns).copy()
        data[:, int(SIZE / 2 + distance) :] = 0
        return np.rot90(data, -turns).copy()

    return light, end, view.profile


def _spiral(rng, galaxy, view):
    """Draw an exponential disk times 1 + A cos(m phi - m cot(pitch) log r), A of 0.3 to 0.8."""
    amplitude = rng.uniform(0.3, 0.8)
    arms = int(rng.integers(1, 4))
    pitch = np.radians(rng.uniform(10, 30))
    phase = rng.uniform(0, 2 * np.pi)

    def brightness(radius, angle):
        wave = arms * (angle - np.log(radius + 0.05) / np.tan(pitch)) + phase
        return np.exp(-1.678 * radius) * (1 + amplitude * np.cos(wave))

    return _structured(galaxy, view, brightness), _no_defect, view.profile


def _ring(rng, galaxy, view):
    """Draw an exponential disk and a ring of 1 to 2 r_eff with 30 to 60 % of the light."""
    radius_of_ring = rng.uniform(1, 2)
    width = rng.uniform(0.1, 0.3)
    share = rng.uniform(0.3, 0.6)
    # Fluxes of the two for a peak of 1 and lengths in units of r_eff.
    disk = 2 * np.pi / 1.678**2
    ring = 2 * np.pi * radius_of_ring * width * np.sqrt(2 * np.pi)

    def brightness(radius, _angle):
        bump = np.exp(-0.5 * ((radius - radius_of_ring) / width) ** 2)
        return (1 - share) * np.exp(-1.678 * radius) / disk + share * bump / ring

    return _structured(galaxy, view, brightness), _no_defect, view.profile


def _structured(galaxy, view, brightness, *, fine=4):
    """Draw a galaxy of any surface brightness f(radius / r_eff, angle), convolved with the PSF."""
    # A smaller structure would be lost in the PSF.
    galaxy["r_eff"] = max(galaxy["r_eff"], 2.5 * view.fwhm)
    axis = (np.arange(SIZE * fine) - (SIZE * fine - 1) / 2) / fine
    theta = np.radians(galaxy["theta"])
    along = np.cos(theta) * axis + np.sin(theta) * axis[:, None]
    across = (np.cos(theta) * axis[:, None] - np.sin(theta) * axis) / galaxy["q"]
    pixels = brightness(np.hypot(along, across) / galaxy["r_eff"], np.arctan2(across, along))
    image = galsim.Image(pixels / pixels.sum(), scale=1 / fine)
    light = galsim.InterpolatedImage(image, x_interpolant="linear", flux=1)
    light = galsim.Convolve(light, view.profile)
    return draw_star(light, galaxy["flux"], (SIZE, SIZE), _center(galaxy))


def _wrong_psf(rng, galaxy, view):
    """Make the PSF of the user 30 % narrower or broader than the true one."""
    return _draw(galaxy, view), _no_defect, view.profile.dilate(rng.choice([1 / 1.3, 1.3]))


def _drizzled(rng, galaxy, view):
    """Draw a galaxy in noise of which neighboring pixels have half in common."""
    light = _draw(galaxy, view)
    clean = np.clip(light, 0, None)

    def correlate(_data):
        noise = gaussian_filter(rng.standard_normal(light.shape), _DRIZZLED, mode="wrap")
        return clean + np.sqrt(1 + clean / view.gain) * noise / noise.std()

    return light, correlate, view.profile


def _nucleus(rng, galaxy, view):
    """Add a star of 3 to 50 % of the galaxy's flux in its center."""
    flux = galaxy["flux"] * np.exp(rng.uniform(np.log(0.03), np.log(0.5)))
    point = draw_star(view.profile, flux, (SIZE, SIZE), _center(galaxy))
    return _draw(galaxy, view) + point, _no_defect, view.profile


def _bulge(rng, galaxy, view):
    """Draw an exponential disk and a bulge of 15 to 50 % of its radius."""
    galaxy["n"] = 1.0
    bulge = galaxy | {
        "flux": galaxy["flux"] * rng.uniform(0.2, 1),
        "r_eff": galaxy["r_eff"] * rng.uniform(0.15, 0.5),
        "n": rng.uniform(2, 5),
        "q": rng.uniform(0.6, 1),
        "theta": rng.uniform(-90, 90),
    }
    return _draw(galaxy, view) + _draw(bulge, view), _no_defect, view.profile


def _bar(rng, galaxy, view):
    """Draw an exponential disk and a bar of another direction with 10 to 50 % of its flux."""
    galaxy |= {"n": 1.0, "q": rng.uniform(0.6, 1)}
    bar = galaxy | {
        "flux": galaxy["flux"] * rng.uniform(0.1, 0.5),
        "r_eff": galaxy["r_eff"] * rng.uniform(0.4, 0.8),
        "n": 0.5,
        "q": rng.uniform(0.2, 0.35),
        "theta": rng.uniform(-90, 90),
    }
    return _draw(galaxy, view) + _draw(bar, view), _no_defect, view.profile


def _neighbor(rng, galaxy, view):
    """Add a galaxy of 3 to 30 % of the flux within the light of the other."""
    distance = rng.uniform(1, 2) * galaxy["r_eff"] + rng.uniform(0.3, 1) * view.fwhm
    angle = rng.uniform(0, 2 * np.pi)
    other = galaxy | {
        "flux": galaxy["flux"] * rng.uniform(0.03, 0.3),
        "r_eff": galaxy["r_eff"] * rng.uniform(0.3, 0.8),
        "n": rng.uniform(0.5, 4),
        "dx": galaxy["dx"] + distance * np.cos(angle),
        "dy": galaxy["dy"] + distance * np.sin(angle),
    }
    return _draw(galaxy, view) + _draw(other, view), _no_defect, view.profile


# Functions of (random numbers, galaxy, view). They return the image without noise, a function that
# adds a defect after the noise, and the PSF that the user has.
KINDS = {
    "galaxy": _clean,
    "star": _star,
    "blend": _blend,
    "streak": _streak,
    "saturated": _saturated,
    "edge": _edge,
    "spiral": _spiral,
    "ring": _ring,
    "empty sky": _sky,
    "wrong PSF": _wrong_psf,
    "drizzled": _drizzled,
    "nucleus": _nucleus,
    "bulge": _bulge,
    "bar": _bar,
    "neighbor": _neighbor,
}

if __name__ == "__main__":
    main()
