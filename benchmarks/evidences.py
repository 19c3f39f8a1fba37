"""How well evidences of models agree with a nested sampler on the same likelihoods and priors.

::

    python -m benchmarks.evidences docs/_static/bulge_disk -n 4

Galaxies are those of `benchmarks.bulge_disk`, one in five of them a bright nucleus in a disk; each
is measured under the four models of ``model="auto"``. nautilus (Lange 2023, MNRAS 525, 3181;
package ``nautilus-sampler``) integrates the same likelihood over the prior. A run that was stopped
(``--minutes``) goes on with the next model.
"""

import importlib.util
import math
import time

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import Table, vstack

from benchmarks.bulge_disk import PIXEL_SCALE, SIDE, SKY, ZEROPOINT, simulate
from benchmarks.common.command import add_count, make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets.composites import PROFILES
from sersicnet import Model, SersicNet
from sersicnet.inference.choose import known_of
from sersicnet.inference.fits import BatchStart
from sersicnet.inference.importance import PosteriorDensity
from sersicnet.model import collect_psfs, likelihoods, psf_transform
from sersicnet.model.choice import AUTO, column_name
from sersicnet.model.labels import ellipticity
from sersicnet.model.parts import scene_images
from sersicnet.model.prior import E_MAX, Q_LIMITS
from sersicnet.preprocessing import prepare

UNITS = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT}
# A nucleus of 3/4 of the light, and its disk.
NUCLEUS = np.array([3.9, 0.3, -0.2, 3.42, 0.7, 1.0, 0.2, 0.1, 0.3, -0.2])
_NUCLEI = 5
# Models whose evidence is smaller by more are not integrated by nautilus.
_FAR_BELOW = 12.0
# Range of the decimal logarithm of the flux around that of the network.
_REACH = 1.0


def main(arguments=None):
    """Integrate each likelihood by both ways, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies", default=20)
    parser.add_argument("--live", type=int, default=500, help="live points of nautilus")
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--minutes", type=float, default=np.inf, help="CPU minutes to stop after")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("nautilus") is None:
        parser.error("nautilus is not installed: pip install nautilus-sampler")
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "evidences.csv"
    rows = Table.read(path) if path.exists() else Table()
    net = SersicNet.from_pretrained()
    for number in range(options.n):
        known = ()
        if len(rows):
            known = set(rows["model"][rows["galaxy"] == number])
        if len(known) == len(AUTO):
            continue
        galaxy = draw_galaxy(number, options.seed)
        for row in compare(net, galaxy, known=known, n_live=options.live):
            found = Table([{"galaxy": number} | row])
            rows = vstack([rows, found])
            write_rounded(rows, path, decimals=3)
            print_table(found)
            if time.process_time() > 60 * options.minutes:
                return


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


def compare(net, galaxy, *, known=(), n_live):
    """Compare the evidences of the models of one galaxy.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    galaxy : dict
        Of `draw_galaxy`.
    known : collection of str, optional
        Models that are left out.
    n_live : int
        Number of live points of nautilus; 0 leaves it out.

    Yields
    ------
    dict
        Row of a model; nautilus is NaN for one that is far less likely than another.
    """
    stack = NDData(galaxy["data"], uncertainty=StdDevUncertainty(np.ones_like(galaxy["data"])))
    options = {"psf": galaxy["psf"], "sky_err": SKY, "noise_correlation": None} | UNITS
    results = {}
    seconds = {}
    for refine in ("lm", "importance"):
        begin = time.process_time()
        results[refine] = net.predict(stack, model="auto", refine=refine, **options)
        seconds[f"CPU s of {refine}"] = time.process_time() - begin
    largest = max(results["lm"].columns[column_name("log_evidence", name)][0] for name in AUTO)
    for name in AUTO:
        if name in known:
            continue
        column = column_name("log_evidence", name)
        row = {"true": str(galaxy["model"][0]), "model": name}
        row |= {refine: float(found.columns[column][0]) for refine, found in results.items()}
        row |= {"ess": float(results["importance"].columns["ess"][0])} | seconds
        row["nautilus"] = np.nan
        begin = time.process_time()
        if n_live and row["lm"] > largest - _FAR_BELOW:
            density, scene, limits = target(net, stack, galaxy["psf"], name)
            row["nautilus"] = integrate(density, scene, limits, n_live=n_live)
        row["CPU s of nautilus"] = time.process_time() - begin
        row["difference"] = row["importance"] - row["nautilus"]
        yield row


def target(net, stack, psf, name):
    """Return the posterior density of a model, its scene, and limits of the logarithm of flux."""
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
        profiles=scene.layout.profiles,
        sky_err=np.array([SKY]),
        shared=start.shared,
    )
    ((_, likelihood),) = found
    middle = start.labels[0, 0]
    limits = middle - _REACH, middle + _REACH
    return PosteriorDensity(likelihood, scene), scene, limits


def integrate(density, scene, limits, *, n_live):
    """Return the logarithm of the evidence by nautilus.

    Parameters
    ----------
    density : callable
        Logarithm of likelihood times prior of unconstrained parameters.
    scene : `~sersicnet.model.Scene`
        The parameters.
    limits : tuple of float
        Range of the logarithm of the flux.
    n_live : int
        Number of live points.
    """
    import nautilus

    layout = scene.layout

    def log_density(cube):
        values, log_volume = unconstrained(layout, torch.from_numpy(cube), limits)
        density.skies.clear()
        with torch.no_grad():
            found = density(values) + log_volume
        return found.nan_to_num(nan=-1e300, neginf=-1e300).numpy()

    options = {"n_dim": layout.n_parameters, "n_live": n_live, "vectorized": True, "seed": 1}
    sampler = nautilus.Sampler(lambda cube: cube, log_density, pass_dict=False, **options)
    sampler.run(n_eff=1000, discard_exploration=False)
    return float(sampler.log_z)


def unconstrained(layout, cube, limits):
    """Return parameters for points of the unit cube, and the logarithm of what a volume becomes.

    Logits are uniform in their range, and so are axis ratios and angles.
    """
    cube = cube.clamp(1e-12, 1 - 1e-12)
    values = torch.log(cube) - torch.log1p(-cube)
    volume = -torch.log(cube * (1 - cube))
    column = layout.free.index("log_flux")
    values[:, column] = limits[0] + (limits[1] - limits[0]) * cube[:, column]
    volume[:, column] = math.log(limits[1] - limits[0])
    for disk in layout.disks:
        ratio = Q_LIMITS[0] + (Q_LIMITS[1] - Q_LIMITS[0]) * cube[:, disk.start]
        size = ellipticity(ratio).clamp(1e-9, E_MAX * (1 - 1e-9))
        reach = torch.atanh(size / E_MAX)
        angle = 2 * math.pi * cube[:, disk.start + 1]
        values[:, disk] = torch.stack([torch.cos(angle), torch.sin(angle)], 1) * reach[:, None]
        slope = 2 / (1 + size) ** 2 * E_MAX * (1 - torch.tanh(reach) ** 2)
        volume[:, disk.start] = math.log(Q_LIMITS[1] - Q_LIMITS[0]) - torch.log(slope)
        volume[:, disk.start + 1] = math.log(2 * math.pi) + torch.log(reach)
    return values, volume.sum(dim=1)


if __name__ == "__main__":
    main()
