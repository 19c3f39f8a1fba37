"""Seconds a galaxy of the three stages and of two classical codes, on the same galaxies.

::

    python -m benchmarks.race ../shared/bench docs/_static/refinement

One core each, CPU seconds, one code after the other. imfit (Erwin 2015, ApJ 799, 226) needs the
Python package pyimfit, SExtractor (Bertin & Arnouts 1996) the program ``source-extractor``; without
them their lines are left out. The first directory is that of `benchmarks.peers`.
"""

import time
from pathlib import Path

import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable

from benchmarks.common.command import parser_of
from benchmarks.common.sextractor import find_program, fit_sersic
from benchmarks.common.tables import write_rounded
from benchmarks.peers import simulate
from sersicnet import SersicNet

SIDE = 20  # cutouts on a side of SExtractor's image


def main(arguments=None):
    """Time all codes, and write the table."""
    parser = parser_of(__doc__, "bench")
    parser.add_argument("-n", type=int, default=100, help="galaxies of the slow codes")
    parser.add_argument("--cache", type=Path, help="directory for the simulated galaxies")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    bench = simulate(options.bench, seed=1, cache=options.cache)
    net = SersicNet.from_pretrained()
    _ours(net, bench, 8, "lm")  # tables are read, memory is taken
    seconds = {
        "network": _ours(net, bench, len(bench["img"]), None),
        "lm": _ours(net, bench, len(bench["img"]), "lm"),
        "importance (ess 500)": _ours(net, bench, options.n, "importance"),
        "SExtractor": _sextractor(bench),
        "imfit": _imfit(bench, options.n),
    }
    seconds = {name: value for name, value in seconds.items() if value is not None}
    rows = [
        {"code": name, "CPU s a galaxy": value}
        | {
            f"{rival} / this": seconds[rival] / value
            for rival in ("imfit", "SExtractor")
            if rival in seconds
        }
        for name, value in seconds.items()
    ]
    table = QTable(rows=rows)
    write_rounded(table, options.output / "race.csv", decimals=4)
    print(*table.pformat(max_width=-1), sep="\n")


def _ours(net, bench, n, refine):
    noise = StdDevUncertainty(bench["sig"][:n])
    stack = NDData(bench["img"][:n], uncertainty=noise, psf=bench["psf"])
    units = {"pixel_scale": float(bench["pix"]), "zeropoint": float(bench["zp"])}
    begin = time.process_time()
    net.predict(stack, refine=refine, **units)
    return (time.process_time() - begin) / n


def _imfit(bench, n):
    """Levenberg-Marquardt from the catalog's rough values, as a careful user would."""
    try:
        import pyimfit
    except ImportError:
        return None
    spent = 0.0
    for row in range(n):
        image, noise = (bench[name][row].astype(float) for name in ("img", "sig"))
        model = pyimfit.SimpleModelDescription()
        model.x0.setValue(64.5, [60, 69])
        model.y0.setValue(64.5, [60, 69])
        sersic = pyimfit.make_imfit_function("Sersic")
        flux = max(float(image.sum()), 10 * float(noise.mean()))
        starts = {
            "PA": (45.0, [-180, 180]),
            "ell": (0.3, [0, 0.95]),
            "n": (2.0, [0.3, 6.2]),
            "I_e": (flux / 300, [0, 100 * flux]),
            "r_e": (6.0, [0.2, 60]),
        }
        for name, (value, limits) in starts.items():
            getattr(sersic, name).setValue(value, limits)
        model.addFunction(sersic)
        fitter = pyimfit.Imfit(model, psf=bench["psf"].astype(float), maxThreads=1)
        begin = time.process_time()
        fitter.fit(image, error=noise, error_type="sigma", solver="LM", verbose=-1)
        spent += time.process_time() - begin
    return spent / n


def _sextractor(bench):
    """One run on an image of all cutouts side by side."""
    if find_program() is None:
        return None
    side = SIDE * bench["img"].shape[-1]
    image, noise = (
        bench[name].reshape(SIDE, SIDE, *bench[name].shape[1:]).swapaxes(1, 2).reshape(side, side)
        for name in ("img", "sig")
    )
    found = fit_sersic(
        image,
        noise,
        bench["psf"],
        pixel_scale=float(bench["pix"]),
        zeropoint=float(bench["zp"]),
        settings={"FILTER": "N", "BACK_TYPE": "MANUAL", "DETECT_MINAREA": "9"},
    )
    if len(found.table) < len(bench["img"]) / 2:
        msg = "SExtractor found less than half of the galaxies"
        raise RuntimeError(msg)
    return found.seconds / len(bench["img"])


if __name__ == "__main__":
    main()
