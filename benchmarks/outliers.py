"""How well flags find what is no single Sersic galaxy, and spare what is one.

::

    python -m benchmarks.validation_sets --directory DIR
    python -m benchmarks.outliers DIR docs/_static/calibration

False positives are counted among the galaxies of the validation sets in DIR; true ones among
stars, blends, artifacts and galaxies with structure that are drawn here, by GalSim, behind the
same PSFs. Fluxes are in units of the background's noise in a pixel, lengths in pixels.
"""

from functools import lru_cache
from itertools import pairwise

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable, vstack

from benchmarks.common.command import add_weights, parser_of
from benchmarks.common.tables import write_rounded
from benchmarks.sets.galaxies import draw_view, snr
from benchmarks.sets.psfs import CANNOT_DRAW, draw_galaxy, draw_star, psf_stamps
from benchmarks.validation_sets import SETS, load_set
from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.io.weights import weights_path

SIZE, SEED = 128, 7100
SNR = (20.0, 500.0)
LARGEST = 14.0
N_VIEWS = 50  # that the images of each kind are seen through
BINS = (2, 10, 30, 100, 300, 1000, 20000)
BRIGHT = 100.0
COLUMNS = ("MISFIT", "UNRESOLVED", "LOW_SNR", "OUT_OF_RANGE", "OFF_CENTER")


def main(arguments=None):
    """Draw, measure, and write the share of each kind that has each flag."""
    parser = parser_of(__doc__, "sets")
    add_weights(parser)
    parser.add_argument("--n", type=int, default=150, help="of each kind")
    parser.add_argument("--n-sets", type=int, help="galaxies of each validation set")
    options = parser.parse_args(arguments)
    net = SersicNet.load(weights_path(options.weights))
    rows = []
    for kind in KINDS:
        cutouts = [draw_outlier(kind, i) for i in range(options.n)]
        signal = np.array([cutout.meta["SNR"] for cutout in cutouts])
        rows.append(_shares(kind, net.predict(cutouts).flags, signal))
    outliers = vstack(rows)
    rows = []
    for name in SETS:
        cutouts, truth = load_set(name, options.sets, n=options.n_sets)
        rows += _set_shares(name, net.predict(cutouts).flags, truth["snr"])
    table = vstack([vstack(rows), outliers])
    write_rounded(table, options.output / "outliers.csv", decimals=3)
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


def _set_shares(name, flags, signal):
    """Shares of a validation set, those drawn from the prior also in bins of S/N."""
    signal = np.asarray(signal)
    rows = [_shares(name, flags, signal)]
    if name.startswith("prior"):
        for low, high in pairwise(BINS):
            chosen = (signal >= low) & (signal < high)
            rows.append(_shares(f"{name} S/N {low} to {high}", flags[chosen], signal[chosen]))
    return rows


def _shares(kind, flags, signal):
    """One row: the share with each flag, with any of them, and of bright ones with MISFIT."""
    row = {"kind": kind, "n": len(flags)}
    shares = {name: (flags & int(Flags[name])) != 0 for name in COLUMNS}
    row |= {name: share.mean() for name, share in shares.items()}
    row["any"] = np.any(list(shares.values()), axis=0).mean()
    bright = signal > BRIGHT
    row[f"MISFIT at S/N > {BRIGHT:.0f}"] = (
        shares["MISFIT"][bright].mean() if bright.any() else np.nan
    )
    return QTable(rows=[row])


def draw_outlier(kind, index, *, signal=None):
    """An image that is not of one Sersic galaxy, or not with this PSF.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    index : int
        Number of the image, which depends on it and on the kind alone.
    signal : float, optional
        S/N within the half-light ellipse, by default drawn from 20 to 500, log-uniform.

    Returns
    -------
    `~astropy.nddata.CCDData`
        With ``uncertainty``, ``psf``, and in ``meta`` also ``SNR``.

    Raises
    ------
    ValueError
        If there is no such kind.
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
            light, defect, believed = KINDS[kind](rng, galaxy, view)
        except CANNOT_DRAW:
            continue
        return _as_cutout(rng, light, defect, view, believed, snr(galaxy))
    msg = f"GalSim cannot draw {kind} {index}"  # pragma: no cover
    raise RuntimeError(msg)  # pragma: no cover


def _resolved_galaxy(rng, number):
    """A galaxy of the prior, but neither smaller than the PSF nor too large for the stamp."""
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
    """A view of the prior's, and a galaxy."""
    rng = np.random.default_rng([SEED, number])
    galaxy, view = draw_view("prior", rng)
    while not 2.5 < view.fwhm < 6:
        galaxy, view = draw_view("prior", rng)
    return galaxy, view


def _as_cutout(rng, light, defect, view, believed, signal):
    """Add noise, then what the detector does wrong."""
    light = np.clip(light, 0, None)
    data = rng.poisson(light * view.gain) / view.gain + rng.standard_normal(light.shape)
    sigma = np.sqrt(1 + light / view.gain) if view.photon_map else np.ones(light.shape)
    psf, _, _ = psf_stamps(believed, view.psf_size, oversampled=False)
    return CCDData(
        defect(data),
        unit="adu",
        uncertainty=StdDevUncertainty(sigma),
        psf=psf,
        meta={"MAGZP": 25.0, "PIXSCALE": 0.1, "SNR": signal},
    )


def _none(data):
    return data


def _center(galaxy):
    return galaxy["dx"], galaxy["dy"]


def _draw(galaxy, view):
    return draw_galaxy(view.profile, galaxy, (SIZE, SIZE), _center(galaxy))


def _clean(_rng, galaxy, view):
    return _draw(galaxy, view), _none, view.profile


def _sky(_rng, galaxy, view):
    galaxy["flux"] = 1e-9  # its logarithm is taken
    return np.zeros((SIZE, SIZE)), _none, view.profile


def _star(_rng, galaxy, view):
    """As bright as a star of the galaxy's S/N."""
    point = galaxy | {"r_eff": 0.2, "q": 1.0}
    galaxy["flux"] *= snr(galaxy) / snr(point)
    galaxy["r_eff"], galaxy["q"] = point["r_eff"], point["q"]
    light = draw_star(view.profile, galaxy["flux"], (SIZE, SIZE), _center(galaxy))
    return light, _none, view.profile


def _blend(rng, galaxy, view):
    """A second galaxy, much like the first, 1 to 3 times the larger of r_eff and FWHM away."""
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
    return _draw(galaxy, view) + _draw(other, view), _none, view.profile


def _streak(rng, galaxy, view):
    """A cosmic ray through the galaxy, not masked: sharper than the PSF."""
    light = _draw(galaxy, view)
    middle = (SIZE - 1) / 2
    start = rng.normal(size=2) * 0.7 * galaxy["r_eff"] + (galaxy["dx"], galaxy["dy"]) + middle
    angle, length = rng.uniform(0, np.pi), rng.uniform(4, 25)
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
    """A core above full well, not masked: cut and bled along the columns, or read as zero."""
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
            data[max(rows[0] - more // 2, 0) : rows[-1] + 1 + more // 2, column] = full
        return data

    return light, saturate, view.profile


def _edge(rng, galaxy, view):
    """The detector ends within the galaxy, and the rest is zero, but not masked."""
    light = _draw(galaxy, view)
    distance = rng.uniform(0.2, 1) * max(galaxy["r_eff"], view.fwhm)
    turns = int(rng.integers(4))

    def end(data):
        data = np.rot90(data, turns).copy()
        data[:, int(SIZE / 2 + distance) :] = 0
        return np.rot90(data, -turns).copy()

    return light, end, view.profile


def _spiral(rng, galaxy, view):
    """An exponential disk times 1 + A cos(m phi - m cot(pitch) log r), A of 0.3 to 0.8."""
    amplitude, arms = rng.uniform(0.3, 0.8), int(rng.integers(1, 4))
    pitch, phase = np.radians(rng.uniform(10, 30)), rng.uniform(0, 2 * np.pi)

    def brightness(radius, angle):
        wave = arms * (angle - np.log(radius + 0.05) / np.tan(pitch)) + phase
        return np.exp(-1.678 * radius) * (1 + amplitude * np.cos(wave))

    return _structured(galaxy, view, brightness), _none, view.profile


def _ring(rng, galaxy, view):
    """An exponential disk and a ring of 1 to 2 r_eff with 30 to 60 % of the light."""
    radius_of_ring, width = rng.uniform(1, 2), rng.uniform(0.1, 0.3)
    share = rng.uniform(0.3, 0.6)
    # of unit flux, in units of r_eff
    disk, ring = 2 * np.pi / 1.678**2, 2 * np.pi * radius_of_ring * width * np.sqrt(2 * np.pi)

    def brightness(radius, _angle):
        bump = np.exp(-0.5 * ((radius - radius_of_ring) / width) ** 2)
        return (1 - share) * np.exp(-1.678 * radius) / disk + share * bump / ring

    return _structured(galaxy, view, brightness), _none, view.profile


def _structured(galaxy, view, brightness, *, fine=4):
    """A galaxy of any surface brightness f(radius / r_eff, angle), behind the PSF."""
    galaxy["r_eff"] = max(galaxy["r_eff"], 2.5 * view.fwhm)  # or the PSF blurs it to nothing
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
    """The given PSF is narrower or broader by 30 %."""
    return _draw(galaxy, view), _none, view.profile.dilate(rng.choice([1 / 1.3, 1.3]))


# Functions of (random numbers, galaxy, view) that return light, a defect to come after
# the noise, and the PSF that the user believes in.
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
}

if __name__ == "__main__":
    main()
