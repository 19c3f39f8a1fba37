"""Validation sets of GalSim's, clean and contaminated, of any instrument and of four surveys.

::

    python -m benchmarks.validation_sets --directory DIR
    python -m benchmarks.validation_sets --directory DIR --n 100 prior-clean euclid-contaminated

One file a galaxy: a run that was killed goes on where it ended. A galaxy depends on
the set and on its number alone, and galaxy i of a clean set is galaxy i of the contaminated one,
behind the same PSF.

**Truth.** A PSF stamp is taken to hold all of a star's light. The stamps here miss
some (an Airy pattern's wings), so the true flux is the galaxy's total flux times the share of
light within the square of its stamp: nearly the flux of the model that fits best. The prior
sets draw this flux from the prior. What a stamp misses is still in the image, and biases bright
galaxies behind a PSF of low ``psf_share``, as it does in real images.

**Noise.** 1 from the background, and photons. The noise map of half of the galaxies has both, the
photons estimated from the noisy image (its mean over 5 x 5 pixels), and of the other half the
background alone, as many surveys' have: see the column ``noise_map``.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable
from scipy.ndimage import uniform_filter
from tqdm import tqdm

from benchmarks.sets import contaminants as spoil
from benchmarks.sets.contaminants import Contaminants
from benchmarks.sets.galaxies import config_of, draw_view, snr
from benchmarks.sets.psfs import CANNOT_DRAW, UNDERSAMPLED, draw_galaxy, psf_stamps
from sersicnet.parameters import PARAMETERS, wrap_theta

__all__ = ["SETS", "draw_cutout", "load_set", "make_set"]

VERSION = 1  # of the galaxies; cached ones of another are refused
N_GALAXIES = {"prior": 1500, "candels": 400, "euclid": 400, "lsst": 400, "jwst": 400}
SEEDS = {"prior": 7001, "candels": 7002, "euclid": 7003, "lsst": 7004, "jwst": 7005}
SETS = tuple(f"{kind}-{state}" for kind in N_GALAXIES for state in ("clean", "contaminated"))
SIZE, SMALLEST, LARGEST = 128, 48, 160


def draw_cutout(name, index, *, contaminants=None):
    """One galaxy of a set.

    Parameters
    ----------
    name : str
        One of ``SETS``.
    index : int
        Number of the galaxy, of any size: the length of the set is only a habit.
    contaminants : Contaminants, optional
        Of a contaminated set; all by default.

    Returns
    -------
    arrays : dict of `~numpy.ndarray`
        ``data`` and ``sigma`` (in the set's unit), ``mask``, ``psf``, and ``psf2`` where the
        PSF is undersampled.
    row : dict
        The truth, in the units of `~sersicnet.parameters.PARAMETERS`, and the other columns.

    Raises
    ------
    ValueError
        If there is no such set.
    """
    if name not in SETS:
        msg = f"name={name!r} must be one of {', '.join(SETS)}"
        raise ValueError(msg)
    kind, state = name.split("-")
    config = config_of(kind)
    contaminants = Contaminants() if contaminants is None else contaminants
    for attempt in range(100):
        seed = SEEDS[kind], index, attempt
        galaxy, view = draw_view(kind, np.random.default_rng([*seed, 0]))
        spoilers = contaminants.draw((*seed, 2)) if state == "contaminated" else {}
        rng = np.random.default_rng([*seed, 1])
        try:
            side = _side(state, galaxy, spoilers, rng)
            arrays, extra = _render(galaxy, view, spoilers, side, rng)
        except CANNOT_DRAW:
            continue  # 3 of prior's 1500: large, concentrated, behind a sharp PSF
        arrays["data"] = arrays["data"] * config.sky_noise
        arrays["sigma"] = arrays["sigma"] * config.sky_noise
        row = _row(config, galaxy, view, side) | extra
        row |= {"contaminated": state == "contaminated", "contaminants": ",".join(spoilers)}
        return arrays, row | {"id": index, "redrawn": attempt}
    msg = f"GalSim cannot draw galaxy {index} of {name}"  # pragma: no cover
    raise RuntimeError(msg)  # pragma: no cover


def _side(state, galaxy, spoilers, rng):
    """Pixels on a side of the cutout."""
    if state == "clean":
        return SIZE
    large = int(rng.integers(SIZE, LARGEST + 1))
    if "padding" not in spoilers:
        return large
    smallest = min(max(SMALLEST, int(np.ceil(3 * galaxy["r_eff"]))), SIZE - 1)
    return int(spoilers["padding"].integers(smallest, SIZE))


def _render(galaxy, view, spoilers, side, rng):
    """Arrays of a cutout, in units of the background's noise, and columns about it."""
    believed = view.profile
    if "wrong_psf" in spoilers:
        believed = spoil.wrong_psf(spoilers["wrong_psf"], believed)
    oversampled = view.fwhm < UNDERSAMPLED
    psf, psf2, _ = psf_stamps(believed, view.psf_size, oversampled=oversampled)
    _, _, share = psf_stamps(view.profile, view.psf_size, oversampled=False)
    total = galaxy | {"flux": galaxy["flux"] / share}
    target, others, mask = _scene(total, view.profile, spoilers, (side, side))
    data, sigma = _add_noise(target + others, view, spoilers, rng)
    if "missing_pixels" in spoilers:
        missing, values = spoil.missing_pixels(spoilers["missing_pixels"], mask)
        data, mask = np.where(missing, values, data), mask | missing
    arrays = {"data": data, "sigma": sigma, "mask": mask, "psf": psf}
    columns = {"psf_share": share, **_how_spoiled(galaxy, view, target, others, mask)}
    return arrays if psf2 is None else arrays | {"psf2": psf2}, columns


def _scene(galaxy, profile, spoilers, shape):
    """Light of the galaxy and of all others, and the mask of what is known to be another."""
    target = draw_galaxy(profile, galaxy, shape, (galaxy["dx"], galaxy["dy"]))
    others, mask = np.zeros(shape), np.zeros(shape, bool)
    if "faint_neighbors" in spoilers:
        others += spoil.faint_neighbors(spoilers["faint_neighbors"], galaxy, profile, shape)
    for name, draw in (("bright_neighbors", spoil.bright_neighbors), ("stars", spoil.stars)):
        if name in spoilers:
            light, covered = draw(spoilers[name], galaxy, profile, target)
            if not spoil.hides_center(mask | covered):
                others, mask = others + light, mask | covered
    return target, others, mask


def _how_spoiled(galaxy, view, target, others, mask):
    """The share of the galaxy's light that is masked, and how much of others' light is in it."""
    middle = (len(target) - 1) / 2
    y, x = (axis - middle for axis in np.ogrid[: len(target), : len(target)])
    distance = np.hypot(x - galaxy["dx"], y - galaxy["dy"])
    inside = (distance < max(galaxy["r_eff"], view.fwhm)) & ~mask
    blend = others[inside].sum() / target[inside].sum() if inside.any() else 0.0
    return {"masked_light": float(target[mask].sum() / target.sum()), "blend": float(blend)}


def _add_noise(light, view, spoilers, rng):
    """A noisy image and its noise map."""
    light = np.clip(light, 0, None)  # the Fourier transform rings a little
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


def make_set(name, directory, *, n=None, contaminants=None, progress_bar=False):
    """Draw those galaxies of a set that are not in its directory.

    Parameters
    ----------
    name : str
        One of ``SETS``.
    directory : str or path
        Of all sets; this one goes to ``directory/name``.
    n : int, optional
        Number of galaxies, by default that of ``N_GALAXIES``.
    contaminants : Contaminants, optional
        Of a contaminated set; all by default.
    progress_bar : bool
        Whether to show one.

    Raises
    ------
    ValueError
        If there is no such set, or the directory has another of its name.
    """
    if name not in SETS:
        msg = f"name={name!r} must be one of {', '.join(SETS)}"
        raise ValueError(msg)
    contaminants = Contaminants() if contaminants is None else contaminants
    folder = Path(directory) / name
    folder.mkdir(parents=True, exist_ok=True)
    _check_settings(folder / "settings.json", {"version": VERSION, **asdict(contaminants)})
    n = N_GALAXIES[name.split("-")[0]] if n is None else n
    for index in tqdm(range(n), desc=name, mininterval=10, disable=not progress_bar):
        path = folder / f"{index:05d}.npz"
        if not path.exists():
            arrays, row = draw_cutout(name, index, contaminants=contaminants)
            _write(path, arrays, row)


def _check_settings(path, settings):
    """Write the settings of a set, or refuse others than those of what is there."""
    if not path.exists():
        path.write_text(json.dumps(settings))
    elif json.loads(path.read_text()) != settings:
        msg = f"{path} is of other contaminants or of another version: take another directory"
        raise ValueError(msg)


def _write(path, arrays, row):
    arrays = {
        name: array if array.dtype == bool else array.astype("f4") for name, array in arrays.items()
    }
    scratch = path.with_suffix(".part")
    with scratch.open("wb") as file:
        np.savez_compressed(file, row=json.dumps(row), **arrays)
    scratch.replace(path)


def load_set(name, directory, *, n=None):
    """Read a set of `make_set`, as much as there is of it.

    Parameters
    ----------
    name : str
        One of ``SETS``.
    directory : str or path
        Of all sets.
    n : int, optional
        How many galaxies to read; all by default.

    Returns
    -------
    cutouts : list of `~astropy.nddata.CCDData`
        With ``uncertainty``, ``mask``, ``psf``, ``unit`` and, in ``meta``, ``MAGZP``,
        ``PIXSCALE``, ``ID``, and ``psf2`` (the PSF twice oversampled) where its FWHM is less than
        3 pixels.
    truth : `~astropy.table.QTable`
        The seven parameters in the package's conventions (but see the module on ``mag``), and

        - ``snr``: as `sersicnet.model.log_snr` has it, not its logarithm; ``r_eff_pix``
        - ``fwhm_pix``: of a star; ``psf_family``; ``psf_share``: of its light, in its stamp
        - ``gain``: electrons per unit of the background's noise; ``noise_map``: what it holds,
          ``'photons'`` too or the ``'background'`` alone
        - ``contaminated``: bool; ``contaminants``: names with commas
        - ``masked_light``: share of the galaxy's light in the cutout that is masked
        - ``blend``: unmasked light of others over the galaxy's, within ``r_eff`` or the FWHM
        - ``id``; ``size`` of the cutout; ``redrawn``: how often GalSim could not draw it

    Raises
    ------
    FileNotFoundError
        If there are fewer than ``n`` galaxies, or none.
    """
    paths = sorted((Path(directory) / name).glob("*.npz"))[:n]
    if len(paths) < (n or 1):
        msg = (
            f"{directory} has {len(paths)} galaxies of {name!r}, n={n}: "
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
    """Make the sets, or some."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(SETS)}")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--n", type=int, help="galaxies of each set, instead of all")
    parser.add_argument("--contaminants", help="only these, with commas; others are switched off")
    options = parser.parse_args(arguments)
    contaminants = None
    if options.contaminants is not None:
        contaminants = Contaminants.only(*filter(None, options.contaminants.split(",")))
    for name in options.names or SETS:
        start = time.perf_counter()
        make_set(name, options.directory, n=options.n, contaminants=contaminants, progress_bar=True)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
