"""Make the validation sets: galaxies by GalSim, clean and contaminated, of any instrument.

::

    python -m benchmarks.validation_sets --directory DIR
    python -m benchmarks.validation_sets --directory DIR --n 100 prior-clean euclid-contaminated
    python -m benchmarks.validation_sets --directory OTHER --seed 100 euclid-clean

The sets are drawn from the prior of the universal network (any instrument) and from those of four
surveys. There is one file per galaxy: a run that was stopped continues where it ended. A galaxy
depends on the set and on its number alone, and galaxy i of a clean set is galaxy i of the
contaminated one, with the same PSF.

**Truth.** A PSF stamp is assumed to hold all light of a star. The stamps here miss some (the wings
of an Airy pattern), so the true flux is the total flux of the galaxy times the share of light
within the square of its PSF stamp: nearly the flux of the model that fits best. The prior sets draw
this flux from the prior. The light that a stamp misses is still in the image, and biases bright
galaxies with a PSF of low ``psf_share``, as it does in real images.

**Noise.** Noise of 1 from the background, and photon noise. The noise map of half of the galaxies
has both, with the photons estimated from the noisy image (its mean over 5 x 5 pixels). That of the
other half has the background alone, like the maps of many surveys: see the column ``noise_map``.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable
from scipy.ndimage import uniform_filter
from tqdm import tqdm

from benchmarks.common.command import add_count, make_parser
from benchmarks.sets import contaminants as spoil
from benchmarks.sets.contaminants import Contaminants
from benchmarks.sets.galaxies import config_of, draw_view, snr
from benchmarks.sets.psfs import CANNOT_DRAW, UNDERSAMPLED, draw_galaxy, psf_stamps
from sersicnet.io.files import atomic_path
from sersicnet.parameters import PARAMETERS, wrap_theta

__all__ = ["SETS", "draw_cutout", "load_set", "make_set"]

# Version of the galaxies; files of another version are not used.
VERSION = 1
N_GALAXIES = {"prior": 1500, "candels": 400, "euclid": 400, "lsst": 400, "jwst": 400}
SEEDS = {"prior": 7001, "candels": 7002, "euclid": 7003, "lsst": 7004, "jwst": 7005}
SETS = tuple(f"{kind}-{state}" for kind in N_GALAXIES for state in ("clean", "contaminated"))
# Side of the cutouts of the clean sets, in pixels.
SIZE = 128
# Smallest and largest side of the contaminated ones.
SMALLEST = 48
LARGEST = 160


def draw_cutout(name, index, *, contaminants=None, seed=None):
    """Draw one galaxy of a set.

    Parameters
    ----------
    name : str
        One of ``SETS``.
    index : int
        Number of the galaxy; it may be larger than the usual length of the set.
    contaminants : Contaminants, optional
        Contaminants of a contaminated set, by default all.
    seed : int, optional
        Seed of the galaxies, by default that of ``SEEDS``.

    Returns
    -------
    arrays : dict of `~numpy.ndarray`
        ``data`` and ``sigma`` (in the set's unit), ``mask``, ``psf``, and ``psf2`` where the
        PSF is undersampled.
    row : dict
        True values, in the units of `~sersicnet.parameters.PARAMETERS`, and the other columns.

    Raises
    ------
    ValueError
        If ``name`` is not one of ``SETS``.
    """
    if name not in SETS:
        msg = f"name={name!r} must be one of {', '.join(SETS)}"
        raise ValueError(msg)
    kind, state = name.split("-")
    config = config_of(kind)
    contaminants = Contaminants() if contaminants is None else contaminants
    seed = SEEDS[kind] if seed is None else seed
    for attempt in range(100):
        seeds = seed, index, attempt
        galaxy, view = draw_view(kind, np.random.default_rng([*seeds, 0]))
        spoilers = contaminants.draw((*seeds, 2)) if state == "contaminated" else {}
        rng = np.random.default_rng([*seeds, 1])
        try:
            side = _side(state, galaxy, spoilers, rng)
            arrays, extra = _render(galaxy, view, spoilers, side, rng)
        except CANNOT_DRAW:
            # 3 of the 1500 of the prior: large, concentrated, with a sharp PSF.
            continue
        arrays["data"] = arrays["data"] * config.sky_noise
        arrays["sigma"] = arrays["sigma"] * config.sky_noise
        row = _row(config, galaxy, view, side) | extra
        row |= {"contaminated": state == "contaminated", "contaminants": ",".join(spoilers)}
        return arrays, row | {"id": index, "redrawn": attempt}
    msg = f"GalSim cannot draw galaxy {index} of {name}"  # pragma: no cover
    raise RuntimeError(msg)  # pragma: no cover


def _side(state, galaxy, spoilers, rng):
    """Return the side of the cutout, in pixels."""
    if state == "clean":
        return SIZE
    large = int(rng.integers(SIZE, LARGEST + 1))
    if "padding" not in spoilers:
        return large
    smallest = min(max(SMALLEST, int(np.ceil(3 * galaxy["r_eff"]))), SIZE - 1)
    return int(spoilers["padding"].integers(smallest, SIZE))


def _render(galaxy, view, spoilers, side, rng):
    """Return the arrays of a cutout, in units of the background's noise, and its columns."""
    profile = view.profile
    if "wrong_psf" in spoilers:
        profile = spoil.wrong_psf(spoilers["wrong_psf"], profile)
    oversampled = view.fwhm < UNDERSAMPLED
    psf, psf2, _ = psf_stamps(profile, view.psf_size, oversampled=oversampled)
    _, _, share = psf_stamps(view.profile, view.psf_size, oversampled=False)
    total = galaxy | {"flux": galaxy["flux"] / share}
    target, others, mask = _scene(total, view.profile, spoilers, (side, side))
    data, sigma = _add_noise(target + others, view, spoilers, rng)
    if "missing_pixels" in spoilers:
        missing, values = spoil.missing_pixels(spoilers["missing_pixels"], mask)
        data = np.where(missing, values, data)
        mask = mask | missing
    arrays = {"data": data, "sigma": sigma, "mask": mask, "psf": psf}
    if psf2 is not None:
        arrays["psf2"] = psf2
    return arrays, {"psf_share": share, **_contamination(galaxy, view, target, others, mask)}


def _scene(galaxy, profile, spoilers, shape):
    """Return the light of the galaxy and that of all others, and the mask of known neighbors."""
    target = draw_galaxy(profile, galaxy, shape, (galaxy["dx"], galaxy["dy"]))
    others = np.zeros(shape)
    mask = np.zeros(shape, bool)
    if "faint_neighbors" in spoilers:
        others += spoil.faint_neighbors(spoilers["faint_neighbors"], galaxy, profile, shape)
    for name, draw in (("bright_neighbors", spoil.bright_neighbors), ("stars", spoil.stars)):
        if name in spoilers:
            light, covered = draw(spoilers[name], galaxy, profile, target)
            if not spoil.hides_center(mask | covered):
                others = others + light
                mask = mask | covered
    return target, others, mask


def _contamination(galaxy, view, target, others, mask):
    """Return the share of the galaxy's light that is masked, and the light of others within it."""
    middle = (len(target) - 1) / 2
    y, x = np.ogrid[: len(target), : len(target)]
    distance = np.hypot(x - middle - galaxy["dx"], y - middle - galaxy["dy"])
    inside = (distance < max(galaxy["r_eff"], view.fwhm)) & ~mask
    blend = others[inside].sum() / target[inside].sum() if inside.any() else 0.0
    return {"masked_light": float(target[mask].sum() / target.sum()), "blend": float(blend)}


def _add_noise(light, view, spoilers, rng):
    """Return a noisy image and its noise map."""
    # The Fourier transform rings a little.
    light = np.clip(light, 0, None)
    white = rng.standard_normal(light.shape)
    photons = rng.poisson(light * view.gain) / view.gain
    if "correlated_noise" in spoilers:
        noise = spoil.correlate(spoilers["correlated_noise"], white)
        data = light + np.sqrt(1 + light / view.gain) * noise
    else:
        data = photons + white
    if "sky" in spoilers:
        data = data + spoil.sky(spoilers["sky"], light.shape)
    sigma = np.ones(light.shape)
    if view.photon_map:
        smooth = uniform_filter(data, 5, mode="nearest")
        sigma = np.sqrt(1 + np.clip(smooth, 0, None) / view.gain)
    if "wrong_noise" in spoilers:
        sigma = sigma * spoil.wrong_noise(spoilers["wrong_noise"])
    return data, sigma


def _row(config, galaxy, view, side):
    """Return the columns of the truth."""
    flux = galaxy["flux"] * config.sky_noise
    return {
        "mag": float(config.zeropoint - 2.5 * np.log10(flux)),
        "r_eff": galaxy["r_eff"] * config.pixel_scale,
        "n": galaxy["n"],
        "q": galaxy["q"],
        "theta": float(wrap_theta(galaxy["theta"])),
        "x_0": (side - 1) / 2 + galaxy["dx"],
        "y_0": (side - 1) / 2 + galaxy["dy"],
        "snr": snr(galaxy),
        "r_eff_pix": galaxy["r_eff"],
        "fwhm_pix": view.fwhm,
        "psf_family": view.family,
        "size": side,
        "gain": view.gain,
        "noise_map": "photons" if view.photon_map else "background",
    }


def make_set(name, directory, *, n=None, contaminants=None, seed=None, progress_bar=False):
    """Draw the galaxies of a set that are not yet in its directory.

    Parameters
    ----------
    name : str
        One of ``SETS``.
    directory : str or path
        Directory of all sets; the files of this one go to ``directory/name``.
    n : int, optional
        Number of galaxies, by default that of ``N_GALAXIES``.
    contaminants : Contaminants, optional
        Contaminants of a contaminated set, by default all.
    seed : int, optional
        Seed of the galaxies, by default that of ``SEEDS``.
    progress_bar : bool
        Whether to show a progress bar.

    Raises
    ------
    ValueError
        If ``name`` is not one of ``SETS``, or the directory has a set of this name with other
        contaminants, of another seed or of another version.
    """
    if name not in SETS:
        msg = f"name={name!r} must be one of {', '.join(SETS)}"
        raise ValueError(msg)
    contaminants = Contaminants() if contaminants is None else contaminants
    folder = Path(directory) / name
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"version": VERSION, **asdict(contaminants)}
    if seed is not None:
        settings["seed"] = seed
    _check_settings(folder / "settings.json", settings)
    n = N_GALAXIES[name.split("-")[0]] if n is None else n
    for index in tqdm(range(n), desc=name, mininterval=10, disable=not progress_bar):
        path = folder / f"{index:05d}.npz"
        if not path.exists():
            arrays, row = draw_cutout(name, index, contaminants=contaminants, seed=seed)
            _write(path, arrays, row)


def _check_settings(path, settings):
    """Write the settings of a set; raise ValueError if the set exists with other settings."""
    if not path.exists():
        with atomic_path(path) as partial:
            partial.write_text(json.dumps(settings))
    elif json.loads(path.read_text()) != settings:
        msg = f"{path} has other contaminants, another seed or version: use another directory"
        raise ValueError(msg)


def _write(path, arrays, row):
    single = {}
    for name, array in arrays.items():
        single[name] = array if array.dtype == bool else array.astype("f4")
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, row=json.dumps(row), **single)


def load_set(name, directory, *, n=None):
    """Read the galaxies of a set that `make_set` has drawn so far.

    Parameters
    ----------
    name : str
        One of ``SETS``.
    directory : str or path
        Directory of all sets.
    n : int, optional
        Number of galaxies to read, by default all.

    Returns
    -------
    cutouts : list of `~astropy.nddata.CCDData`
        Cutouts with ``uncertainty``, ``mask``, ``psf``, ``unit`` and, in ``meta``, ``MAGZP``,
        ``PIXSCALE``, ``ID``, and ``psf2`` (the PSF twice oversampled) where its FWHM is less than
        3 pixels.
    truth : `~astropy.table.QTable`
        The seven parameters in the conventions of the package (see the module about ``mag``), and

        - ``snr``: S/N within the half-light ellipse, see `sersicnet.model.log_snr`
        - ``r_eff_pix``: half-light radius in pixels
        - ``fwhm_pix``: FWHM of the PSF in pixels; ``psf_family``
        - ``psf_share``: share of a star's light that its PSF stamp holds
        - ``gain``: electrons per unit of the background's noise
        - ``noise_map``: ``'photons'`` if the map has photon noise too, else ``'background'``
        - ``contaminated``: bool; ``contaminants``: names, joined by commas
        - ``masked_light``: share of the galaxy's light in the cutout that is masked
        - ``blend``: unmasked light of others over the galaxy's, within ``r_eff`` or the FWHM
        - ``id``; ``size`` of the cutout; ``redrawn``: number of galaxies that GalSim could not
          draw before this one

    Raises
    ------
    FileNotFoundError
        If there are fewer than ``n`` galaxies, or none.
    """
    paths = sorted((Path(directory) / name).glob("*.npz"))[:n]
    if len(paths) < (n or 1):
        msg = (
            f"{directory} has {len(paths)} galaxies of {name!r}, n={n} are needed: "
            f"python -m benchmarks.validation_sets --directory {directory} {name}"
        )
        raise FileNotFoundError(msg)
    config = config_of(name.split("-")[0])
    cutouts, rows = zip(*(_read(path, config) for path in paths), strict=True)
    truth = QTable(rows=list(rows))
    for column, parameter in PARAMETERS.items():
        if parameter.unit is not None:
            truth[column] = truth[column] * parameter.unit
    return list(cutouts), truth


def _read(path, config):
    """Return the cutout and the columns of a file."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    row = json.loads(str(arrays["row"]))
    meta = {"MAGZP": config.zeropoint, "PIXSCALE": config.pixel_scale, "ID": row["id"]}
    if "psf2" in arrays:
        meta["psf2"] = arrays["psf2"]
    cutout = CCDData(
        arrays["data"],
        unit=config.unit,
        uncertainty=StdDevUncertainty(arrays["sigma"]),
        mask=arrays["mask"],
        psf=arrays["psf"],
        meta=meta,
    )
    return cutout, row


def main(arguments=None):
    """Make all sets, or some."""
    parser = make_parser(__doc__, output="none")
    text = f"sets to make, by default all: {', '.join(SETS)}"
    parser.add_argument("names", nargs="*", metavar="name", help=text)
    text = "directory of the sets"
    parser.add_argument("--directory", type=Path, required=True, help=text)
    add_count(parser, "galaxies of each set, by default those of the documentation")
    text = "contaminants to draw, joined by commas, by default all"
    parser.add_argument("--contaminants", help=text)
    text = "seed of the galaxies, by default that of the documentation"
    parser.add_argument("--seed", type=int, help=text)
    options = parser.parse_args(arguments)
    contaminants = None
    if options.contaminants is not None:
        contaminants = Contaminants.only(*filter(None, options.contaminants.split(",")))
    settings = {"n": options.n, "contaminants": contaminants, "seed": options.seed}
    for name in options.names or SETS:
        start = time.perf_counter()
        make_set(name, options.directory, **settings, progress_bar=True)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
