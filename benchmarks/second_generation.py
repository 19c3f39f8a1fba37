"""What a Gauss-Newton step and training add to the first answer of the universal network.

::

    python -m benchmarks.second_generation docs/_static/second_generation --scenes clean
    python -m benchmarks.second_generation OUT --scenes extended --second FILE --seed 101 -n 512
    python -m benchmarks.second_generation OUT --times

Scenes of the training (`sersicnet.training.SceneMaker`), *clean*, *usual* or *extended*, are
measured by the network of ``--weights`` (*first*) and by that of the second generation: *step* as
it begins, without training, and *second* with the weights of ``--second``. A table
``second_generation_SCENES.csv`` has, for each stratum of S/N, the mean of minus the logarithm of
the density at the truth, the robust scatter (1.48 times the median of the absolute error of the
median), and the share of truths within the 68 % intervals. Seeds below 200 are for choices.

With ``--times``, ``second_generation_times.csv`` has the CPU time per galaxy, in ms, of both
networks with 64 draws, for PSFs that are sampled by one, two and three.
"""

import itertools
import math
import time
from dataclasses import replace

import torch
from astropy.table import Table

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import print_table, write_rounded
from sersicnet.io.weights import read_weights, weights_path
from sersicnet.model.labels import LABELS, N_LABELS
from sersicnet.model.prior import log_snr
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained
from sersicnet.networks.registry import build_network
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.galaxies import GROUP
from sersicnet.training.scenes import SceneMaker
from sersicnet.training.validation import STRATA

SCENES = {
    "clean": Contaminants.none,
    "usual": Contaminants,
    "extended": Contaminants.extended,
}
SHOWN = ("log_flux", "log_r_eff", "n", "e1", "dx")
_BATCH = 64
_DRAWS = 64


def main(arguments=None):
    """Measure the scenes, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "scenes", default=1024)
    add_weights(parser)
    parser.add_argument("--second", help="file of weights of the second generation")
    parser.add_argument("--times", action="store_true", help="measure the time instead")
    parser.add_argument("--scenes", choices=tuple(SCENES), default="clean")
    parser.add_argument("--seed", type=int, default=201)
    options = parser.parse_args(arguments)
    networks = load_networks(options.weights, options.second)
    if options.times:
        table = time_networks(networks["step"], seed=options.seed)
        write_rounded(table, options.output / "second_generation_times.csv", decimals=2)
        print_table(table)
        return
    scores = measure(networks, options.scenes, seed=options.seed, n=options.n)
    table = tabulate(scores)
    write_rounded(table, options.output / f"second_generation_{options.scenes}.csv", decimals=4)
    print_table(table)


def load_networks(weights, second):
    """Load the networks.

    Parameters
    ----------
    weights : str
        Weights of the first generation.
    second : str or None
        File of weights of the second generation.

    Returns
    -------
    dict of `~sersicnet.networks.LikelihoodNetwork`
        ``step``, and ``second`` if there is one. The first answer is part of the former.
    """
    tensors, metadata = read_weights(weights_path(weights))
    network = build_network("likelihood", **metadata["network_config"])
    network.load_first(tensors)
    networks = {"step": network.eval()}
    if second is not None:
        tensors, metadata = read_weights(weights_path(second))
        network = build_network("likelihood", **metadata["network_config"])
        network.load_state_dict(tensors)
        networks["second"] = network.eval()
    return networks


@torch.no_grad()
def measure(networks, scenes, *, seed, n):
    """Measure scenes.

    Parameters
    ----------
    networks : dict
        What `load_networks` returns.
    scenes : str
        Kind of the scenes.
    seed, n : int
        Their seed and number.

    Returns
    -------
    dict of (n, 1 + 1 + 2 * 7) `~torch.Tensor`
        By network: logarithm of the S/N, loss, errors, and whether intervals hold the truth.
    """
    n_galaxies = min(1024, _BATCH * math.ceil(n / _BATCH))
    maker = SceneMaker(
        seed, contaminants=SCENES[scenes](), n_galaxies=n_galaxies, reuse=1, stars=True
    )
    generator = torch.Generator().manual_seed(seed)
    found = {name: [] for name in ("first", *networks)}
    for batch in itertools.islice(maker.batches(_BATCH), math.ceil(n / _BATCH)):
        *images, labels = batch.tensors()
        for name, network in networks.items():
            first, second = network.both(*images)
            if name == "step":
                found["first"].append(_scores(first, labels, generator))
            found[name].append(_scores(second, labels, generator))
    return {name: torch.cat(parts)[:n] for name, parts in found.items()}


@torch.no_grad()
def time_networks(network, *, seed):
    """Measure the CPU time of the first answer and of the second generation.

    Parameters
    ----------
    network : `~sersicnet.networks.LikelihoodNetwork`
        Network, which holds both.
    seed : int
        Seed of the scenes.

    Returns
    -------
    `~astropy.table.Table`
    """
    contaminants = replace(Contaminants.none(), extreme_psf=0.5)
    maker = SceneMaker(seed, contaminants=contaminants, n_galaxies=256, stars=True)
    maker.render()
    rows = []
    for sampling in maker.samplings.unique().tolist():
        chosen = (maker.samplings == sampling).repeat_interleave(GROUP).nonzero()[:, 0]
        *images, labels = maker.observe(chosen[:_BATCH]).tensors()
        normal = torch.randn(_DRAWS, len(labels), N_LABELS)

        def first(images=images, normal=normal):
            state = network.state(*images[:3])
            network.answer(*state, network.flow.first).transport(normal)

        def second(images=images, normal=normal):
            network(*images).transport(normal)

        row = {"sampling": sampling, "galaxies": len(labels)}
        for name, work in (("first", first), ("second", second)):
            row[f"ms_{name}"] = 1000 * _cpu_time(work) / len(labels)
        rows.append(row)
    return Table(rows=rows)


def _cpu_time(work):
    """CPU seconds of some work, the shortest of three."""
    found = []
    for _ in range(3):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


def _scores(posterior, labels, generator):
    """S/N, loss, errors of the medians, and whether intervals hold the truth."""
    loss = -posterior.log_prob_unconstrained(to_unconstrained(labels))
    normal = torch.randn(_DRAWS, len(labels), N_LABELS, generator=generator)
    samples = from_unconstrained(posterior.transport(normal))
    low, median, high = torch.quantile(samples, torch.tensor([0.16, 0.5, 0.84]), dim=0)
    inside = ((labels > low) & (labels < high)).float()
    return torch.cat([log_snr(labels)[:, None], loss[:, None], labels - median, inside], dim=1)


def tabulate(scores):
    """Return the table of scores by stratum.

    Parameters
    ----------
    scores : dict of `~torch.Tensor`
        What `measure` returns.

    Returns
    -------
    `~astropy.table.Table`
    """
    rows = []
    for low, high in itertools.pairwise(STRATA):
        for name, values in scores.items():
            chosen = (values[:, 0] >= math.log10(low)) & (values[:, 0] < math.log10(high))
            some = values[chosen]
            row = {"snr": f"{low} to {high}", "network": name, "scenes": len(some)}
            row["loss"] = float(some[:, 1].mean())
            for label in SHOWN:
                place = LABELS.index(label)
                scatter = 1.4826 * some[:, 2 + place].abs().median() if len(some) else math.nan
                row[f"scatter_{label}"] = float(scatter)
                row[f"inside_{label}"] = float(some[:, 2 + N_LABELS + place].mean())
            rows.append(row)
    return Table(rows=rows)


if __name__ == "__main__":
    main()
