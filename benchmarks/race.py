"""How fast the three stages and two classical codes are, on the same galaxies.

::

    python -m benchmarks.race ../shared/bench docs/_static/refinement

All run on one core, one code after the other; the table has CPU seconds. imfit (Erwin 2015, ApJ
799, 226) needs the Python package pyimfit, SExtractor (Bertin & Arnouts 1996) the program
``source-extractor``; a code that is not installed is left out. The first directory is that of
`benchmarks.peers`.
"""

import time

import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable

from benchmarks.common.command import add_cache, add_count, make_parser
from benchmarks.common.sextractor import find_program, fit_sersic
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.peers import simulate
from sersicnet import SersicNet

# Cutouts along a side of the image for SExtractor.
SIDE = 20
RIVALS = ("imfit", "SExtractor")


def main(arguments=None):
    """Time all codes, and write the table."""
    parser = make_parser(__doc__, "bench")
    add_count(parser, "galaxies of the slow codes", default=100)
    add_cache(parser, "galaxies")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    bench = simulate(options.bench, seed=1, cache=options.cache)
    net = SersicNet.from_pretrained()
    # The first call reads tables and takes memory: it is not timed.
    _ours(net, bench, 8, "lm")
    seconds = {
        "network": _ours(net, bench, len(bench["img"]), None),
        "lm": _ours(net, bench, len(bench["img"]), "lm"),
        "importance (ess 500)": _ours(net, bench, options.n, "importance"),
        "SExtractor": _sextractor(bench),
        "imfit": _imfit(bench, options.n),
    }
    seconds = {name: value for name, value in seconds.items() if value is not None}
    rows = []
    for name, value in seconds.items():
        row = {"code": name, "CPU s per galaxy": value}
        for rival in RIVALS:
            if rival in seconds:
                row[f"{rival} / this"] = seconds[rival] / value
        rows.append(row)
    table = QTable(rows=rows)
    write_rounded(table, options.output / "race.csv", decimals=4)
    print_table(table)


def _ours(net, bench, n, refine):
    """Return the CPU seconds per galaxy of a stage."""
    noise = StdDevUncertainty(bench["sig"][:n])
    stack = NDData(bench["img"][:n], uncertainty=noise, psf=bench["psf"])
    units = {"pixel_scale": float(bench["pix"]), "zeropoint": float(bench["zp"])}
    begin = time.process_time()
    net.predict(stack, refine=refine, **units)
    return (time.process_time() - begin) / n


def _imfit(bench, n):
    """Return the CPU seconds per galaxy of imfit, None if it is not installed.

    Levenberg-Marquardt fits start from rough values of a catalog, as those of a careful user.
    """
    try:
        import pyimfit
    except ImportError:
        return None
    spent = 0.0
    for row in range(n):
        image = bench["img"][row].astype(float)
        noise = bench["sig"][row].astype(float)
        model = _imfit_model(pyimfit, image, noise)
        fitter = pyimfit.Imfit(model, psf=bench["psf"].astype(float), maxThreads=1)
        begin = time.process_time()
        fitter.fit(image, error=noise, error_type="sigma", solver="LM", verbose=-1)
        spent += time.process_time() - begin
    return spent / n


def _imfit_model(pyimfit, image, noise):
    """Return imfit's model of a galaxy, with start values and limits."""
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
    return model


def _sextractor(bench):
    """Return the CPU seconds per galaxy of SExtractor, None if it is not installed.

    It runs once, on an image of all cutouts side by side.
    """
    if find_program() is None:
        return None
    found = fit_sersic(
        _side_by_side(bench["img"]),
        _side_by_side(bench["sig"]),
        bench["psf"],
        pixel_scale=float(bench["pix"]),
        zeropoint=float(bench["zp"]),
        settings={"FILTER": "N", "BACK_TYPE": "MANUAL", "DETECT_MINAREA": "9"},
    )
    if len(found.table) < len(bench["img"]) / 2:
        count = f"{len(found.table)} of {len(bench['img'])}"
        msg = f"SExtractor found only {count} galaxies"
        raise RuntimeError(msg)
    return found.seconds / len(bench["img"])


def _side_by_side(stamps):
    """Return one image of SIDE x SIDE stamps."""
    side = SIDE * stamps.shape[-1]
    return stamps.reshape(SIDE, SIDE, *stamps.shape[1:]).swapaxes(1, 2).reshape(side, side)


if __name__ == "__main__":
    main()
