"""How well evidences of models agree with a nested sampler on the same likelihoods and priors.

::

    python -m benchmarks.evidences docs/_static/composites

Galaxies are those of `benchmarks.bulge_disk` in cutouts of 48 pixels, one in five of them a bright
nucleus in a disk; each is measured under the four models of ``model="auto"``. nautilus (Lange 2023,
MNRAS 525, 3181; package ``nautilus-sampler``) integrates the same likelihood times prior over all
values of the parameters. Its unit cube is mapped to them by heavy-tailed distributions around the
fit of ``lm``, twice as wide as its errors: a change of variables, which changes no integral. Of a
cube that is mapped to the prior, the posterior is too small a part to be found in minutes. Models
that are less likely than the best by far are left out.

A run that was stopped (``--minutes``) goes on with the next model; bulges and disks, which take
most of the time, are integrated last. Draws of nautilus while it explores do not count, as they
shaped the bounds that weight them. Rows whose integral has not
converged within ``--calls`` likelihoods say so.
"""

import importlib.util
import math
import time
from itertools import product

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import Table, vstack

from benchmarks.bulge_disk import PIXEL_SCALE, SKY, ZEROPOINT, simulate
from benchmarks.common.command import add_count, make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets.composites import PROFILES
from sersicnet import Model, SersicNet
from sersicnet.inference.choose import known_of
from sersicnet.inference.fits import BatchStart
from sersicnet.inference.importance import PosteriorDensity, StudentProposal
from sersicnet.inference.mixtures import bounded_covariance
from sersicnet.model import collect_psfs, likelihoods, psf_transform
from sersicnet.model.choice import AUTO, column_name
from sersicnet.model.parts import scene_images
from sersicnet.preprocessing import prepare

SIDE = 48
UNITS = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT}
# A nucleus of 3/4 of the light, and its disk.
NUCLEUS = np.array([3.9, 0.3, -0.2, 3.42, 0.7, 1.0, 0.2, 0.1, 0.3, -0.2])
_NUCLEI = 5
# Models that are less probable by ``lm`` are not integrated.
_UNLIKELY = 1e-5
# Width of the distributions that the unit cube is mapped to, over the errors of the fit.
_WIDER = 2.0
# Settings of nautilus, with which the logarithm of an evidence is known to 0.05.
_SETTINGS = {"n_networks": 1, "neural_network_kwargs": {"hidden_layer_sizes": (50, 20)}}
# Points of the exploration shaped the bounds that they are weighted by: with them, evidences came
# out too small by 0.17 (seven parameters, galaxy 1) and, of eleven, by another 0.17.
_RUN = {"f_live": 0.1, "n_eff": 400, "discard_exploration": True}
# Models that are integrated first: their integrals take a third of the time of the others.
_CHEAP = ("sersic", "point", "point+exp")


def main(arguments=None):
    """Integrate each likelihood by both ways, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies", default=20)
    parser.add_argument("--live", type=int, default=150, help="live points of nautilus")
    parser.add_argument("--calls", type=int, default=20_000, help="most likelihoods of nautilus")
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--minutes", type=float, default=np.inf, help="CPU minutes to stop after")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("nautilus") is None:
        parser.error("nautilus is not installed: pip install nautilus-sampler")
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "evidences.csv"
    rows = read_rows(path)
    net = SersicNet.from_pretrained()
    limits = {"n_live": options.live, "n_calls": options.calls}
    for names, number in product((_CHEAP, AUTO), range(options.n)):
        known = set(AUTO) - set(names)
        if len(rows):
            known |= set(rows["model"][rows["galaxy"] == number])
        if len(known) == len(AUTO):
            continue
        galaxy = draw_galaxy(number, options.seed)
        for row in compare(net, galaxy, known=known, **limits):
            found = Table([{"galaxy": number} | row])
            rows = vstack([rows, found])
            write_rounded(rows, path, decimals=3)
            print_table(found)
            if time.process_time() > 60 * options.minutes:
                return


def read_rows(path):
    """Return the rows that a file has, none where there is no file."""
    if not path.exists():
        return Table()
    rows = Table.read(path)
    for name in rows.colnames:
        known = ~np.ma.getmaskarray(rows[name])
        if not known.all():
            values = np.full(len(rows), np.nan)
            values[known] = np.asarray(rows[name][known], float)
            rows[name] = values
    rows["converged"] = rows["converged"] == "True"
    return rows


def draw_galaxy(number, seed, side=SIDE):
    """Draw a galaxy of `benchmarks.bulge_disk`, or a bright nucleus."""
    galaxy = simulate(1, seed=[seed, number], side=side)
    if number % _NUCLEI == 0:
        rng = np.random.default_rng([seed, number, 1])
        transform = psf_transform(torch.from_numpy(galaxy["psf"]), side)
        profiles = PROFILES["point+exp"]
        options = {"profiles": profiles, "stamp_size": side}
        image = scene_images(torch.from_numpy(NUCLEUS)[None], transform, **options).numpy()
        galaxy["data"] = image + rng.standard_normal(image.shape)
        galaxy["model"] = np.array(["point+exp"])
    return galaxy


def compare(net, galaxy, *, known=(), n_live, n_calls):
    """Compare the evidences of the models of one galaxy.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    galaxy : dict
        Of `draw_galaxy`.
    known : collection of str, optional
        Models that are left out.
    n_live, n_calls : int
        As in `integrate`; no live points leave nautilus out.

    Yields
    ------
    dict
        Row of a model; nautilus is NaN for one that is far less likely than another.
    """
    stack = NDData(galaxy["data"], uncertainty=StdDevUncertainty(np.ones_like(galaxy["data"])))
    options = {"psf": galaxy["psf"], "sky_err": SKY, "noise_correlation": None} | UNITS
    fits = net.predict(stack, model="auto", refine="lm", **options)
    limits = {"n_live": n_live, "n_calls": n_calls}
    for name in AUTO:
        if name in known:
            continue
        row = {"true": str(galaxy["model"][0]), "model": name}
        row["lm"] = float(fits.columns[column_name("log_evidence", name)][0])
        begin = time.process_time()
        far = fits.columns[column_name("prob", name)][0] < _UNLIKELY
        row |= _sampled(None if far else net, stack, name, options)
        row["CPU s of importance"] = time.process_time() - begin
        begin = time.process_time()
        found = {"nautilus": np.nan, "nautilus err": np.nan, "calls": 0, "converged": False}
        fit = fits.posterior.densities[name]
        if n_live and not far and np.isfinite(fit.covariance[0]).all():
            density = target(net, stack, galaxy["psf"], name)
            found = integrate(density, fit.mean[0], fit.covariance[0], **limits)
        row |= found
        row["CPU s of nautilus"] = time.process_time() - begin
        row["difference"] = row["importance"] - row["nautilus"]
        yield row


def _sampled(net, stack, name, options):
    """Return the evidence by importance sampling, and its effective number of draws."""
    found = {"importance": np.nan, "ess": np.nan}
    if net is not None:
        columns = net.predict(stack, model=name, refine="importance", **options).columns
        found = {"importance": float(columns["log_evidence"][0]), "ess": float(columns["ess"][0])}
    return found


def target(net, stack, psf, name):
    """Return the posterior density of the unconstrained parameters of a model."""
    stamps = prepare(stack, **UNITS)
    quantiles = net.predict(stack, psf=psf, noise_correlation=None, **UNITS).quantiles
    start = BatchStart.of(quantiles, stamps, collect_psfs([psf]))
    known = {model: known_of(Model(model), np.arange(1)) for model in AUTO}
    start = start.shared_by(known.values(), stamps)
    scene, _, (labels, *_) = start.scene(known[name], stamps.frame)
    ((_, psfs),) = start.groups
    found = likelihoods(
        labels,
        stamps.data,
        stamps.weight,
        psfs,
        chunk=1,
        profiles=scene.layout.drawn,
        sky_err=np.array([SKY]),
        shared=start.shared,
    )
    ((_, likelihood),) = found
    return PosteriorDensity(likelihood, scene)


def integrate(density, mean, covariance, *, n_live, n_calls):
    """Return the logarithm of the evidence by nautilus.

    Parameters
    ----------
    density : callable
        Logarithm of likelihood times prior of unconstrained parameters.
    mean, covariance : (P,), (P, P) `~numpy.ndarray`
        Those of a fit.
    n_live : int
        Number of live points.
    n_calls : int
        Largest number of likelihoods.

    Returns
    -------
    dict
        ``nautilus`` and ``nautilus err``, number of ``calls``, and whether it has ``converged``.
    """
    import nautilus

    mean = torch.tensor(mean, dtype=torch.float64)
    covariance = bounded_covariance(torch.tensor(covariance, dtype=torch.float64))
    root = _WIDER * StudentProposal(mean, covariance).root

    def log_density(cube):
        values, log_volume = unconstrained(torch.from_numpy(cube), mean, root)
        with torch.no_grad():
            found = density(values) + log_volume
        density.skies.clear()
        return found.nan_to_num(nan=-1e300, neginf=-1e300).numpy()

    options = {"n_dim": len(mean), "n_live": n_live, "vectorized": True, "seed": 1}
    options |= {"pass_dict": False} | _SETTINGS
    sampler = nautilus.Sampler(lambda cube: cube, log_density, **options)
    converged = sampler.run(n_like_max=n_calls, **_RUN)
    found = {"nautilus": float(sampler.log_z), "nautilus err": float(sampler.n_eff) ** -0.5}
    return found | {"calls": int(sampler.n_like), "converged": bool(converged)}


def unconstrained(cube, mean, root):
    """Return parameters for points of the unit cube, and the logarithm of what a volume becomes.

    Each has Student's distribution of two degrees of freedom, before they are correlated.

    Parameters
    ----------
    cube : (S, P) `~torch.Tensor`
        Points of the unit cube.
    mean, root : (P,), (P, P) `~torch.Tensor`
        Center, and triangular root of the squared widths.

    Returns
    -------
    values : (S, P) `~torch.Tensor`
    log_volume : (S,) `~torch.Tensor`
    """
    cube = cube.clamp(1e-12, 1 - 1e-12)
    away = (2 * cube - 1) / torch.sqrt(2 * cube * (1 - cube))
    log_volume = (1.5 * torch.log1p(away**2 / 2) + 1.5 * math.log(2)).sum(dim=1)
    return mean + away @ root.T, log_volume + torch.log(torch.diagonal(root)).sum()


if __name__ == "__main__":
    main()
