"""What a GPU does in some minutes: checks, rates, and a training from the shipped weights.

::

    bash benchmarks/gpu.sh OUT
    python -m benchmarks.gpu OUT --minutes 9 --device gpu
    python -m benchmarks.gpu OUT --minutes 1 --device cpu -n 4 --batch-size 8 --precision 32-true

Imports torch, numpy, zuko, lightning and safetensors only, so that it runs on a bare GPU machine.
``gpu_checks.json`` has the largest differences between the device and the CPU: of images (over
their peaks), of the network's log density at the truth, and of fits (in units of their errors).
``gpu_rates.json`` has galaxies per second of images, images with derivatives, the network with 64
draws, fits (lm) and importance sampling. The training takes what is left of the minutes: that of
the network of the second generation on extended scenes, whose first answer is that of the weights
(``--kind posterior`` trains that of the first). ``training`` has its checkpoints, its weights and
their record, what was seen of scenes (``seen_*``, up to 2.6 GB, which are made again where they are
not there), and ``gpu_plan.json`` how many scenes it sees. What is there is not done again, and an
interrupted training goes on.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from sersicnet.inference.importance import PosteriorDensity, StudentProposal, sample
from sersicnet.inference.levenberg_marquardt import levenberg_marquardt
from sersicnet.io.files import atomic_path, check_output_folder
from sersicnet.io.weights import read_weights, weights_path
from sersicnet.model.labels import LOG_R_EFF, N_LABELS
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.prior import draw_labels
from sersicnet.model.profile import sersic_images
from sersicnet.model.render import psf_transform
from sersicnet.model.unconstrained import to_unconstrained
from sersicnet.networks.registry import build_network
from sersicnet.training.scenes import SceneMaker
from sersicnet.training.universal import train_universal

SIDE = 64
PSF_SIZE = 41
FWHM = 3.5
BETA = 3.5
# Draws of the network's posterior of each galaxy, as in SersicNet.predict.
DRAWS = 64
ESS = 500
# Largest differences between a device and the CPU.
LIMITS = {"images": 1e-3, "log_density": 0.05, "fits": 0.1}
# Galaxies of the check, and of the rate of importance sampling, at the most.
N_CHECKED = 32
N_SAMPLED = 8
# Galaxies that a maker of scenes draws at a time.
_TOGETHER = 256
# Batches of the two trial trainings, whose difference is the rate of new scenes.
TRIALS = (8, 40)
# Share of the minutes that are left that a training is planned for, and seconds of an epoch.
PLANNED = 0.8
EPOCH = 40.0
# Scenes of the second generation that are simulated and kept, and those of an epoch at the most.
KEPT = 131_072
KEPT_TOGETHER = 32_768


def main(arguments=None):
    """Check, time and train; each step writes its file."""
    started = time.monotonic()
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    device = _device(options.device)
    checks = _kept(options.output / "gpu_checks.json", check, device, options.weights, options.n)
    _kept(options.output / "gpu_rates.json", rates, device, options.weights, options.n)
    plan = options.output / "gpu_plan.json"
    left = 60 * options.minutes - (time.monotonic() - started)
    planned = _kept(plan, plan_training, options, device, left)
    train_universal(options.output / "training", **_training(options, device), **planned)
    print(f"weights in {options.output / 'training'}")
    if not all(row["holds"] for row in checks["checks"]):
        msg = f"{device} and the CPU do not agree: see gpu_checks.json"
        raise SystemExit(msg)


def _parser():
    """Make the parser of the command, which has nothing but torch and the like."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=_folder, help="directory to write to, and to go on from")
    parser.add_argument("--minutes", type=float, default=9.0, help="minutes of all, by default 9")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("-n", type=int, default=2048, help="galaxies of each rate, default 2048")
    parser.add_argument("--weights", default="universal", help="weights to start from")
    parser.add_argument("--batch-size", type=int, default=512, help="scenes of a step, default 512")
    parser.add_argument("--precision", default="bf16-mixed", help="of the training")
    kinds = ("likelihood", "posterior")
    parser.add_argument("--kind", choices=kinds, default=kinds[0], help="network that is trained")
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="by default 5e-4")
    parser.add_argument("--scenes", type=int, help="scenes of the training, instead of the minutes")
    return parser


def _folder(text):
    """The path of the output; it is a mistake if nothing can be written there."""
    try:
        check_output_folder(text)
    except OSError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return Path(text)


def _device(name):
    """The device that a name means."""
    if name == "auto":
        name = "gpu" if torch.cuda.is_available() else "cpu"
    return torch.device("cuda" if name == "gpu" else "cpu")


def _kept(path, make, *arguments):
    """Return what a step has written, or run it and write what it returns."""
    if path.exists():
        return json.loads(path.read_text())
    found = make(*arguments)
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))
    return found


def _name(device):
    """What the device is."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


def draw_likelihood(n, *, seed):
    """Draw galaxies with noise, on the CPU.

    Parameters
    ----------
    n, seed : int
        Number of galaxies, and seed of galaxies and noise.

    Returns
    -------
    labels : (n, 7) `~torch.Tensor`
        Their truth.
    likelihood : `~sersicnet.model.StampLikelihood`
        Their stamps.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = draw_labels(n, generator=generator).float()
    labels[:, LOG_R_EFF] = labels[:, LOG_R_EFF].clamp(0, 1)
    x = torch.arange(PSF_SIZE, dtype=torch.float64) - PSF_SIZE // 2
    radius = FWHM / 2 / (2 ** (1 / BETA) - 1) ** 0.5
    psf = (1 + (x**2 + x[:, None] ** 2) / radius**2) ** -BETA
    transform = psf_transform((psf / psf.sum()).float(), SIDE)
    images = sersic_images(labels, transform, stamp_size=SIDE)
    data = images + torch.randn(images.shape, generator=generator)
    return labels, StampLikelihood(data, torch.ones_like(data), transform)


def move(likelihood, device):
    """Return a likelihood on another device.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of `draw_likelihood`.
    device : `~torch.device`
        The device.

    Returns
    -------
    `~sersicnet.model.StampLikelihood`
    """
    tensors = (likelihood.data, likelihood.weight, likelihood.transform)
    return StampLikelihood(*(tensor.to(device) for tensor in tensors))


def load_network(weights, device):
    """Return the network of some weights, ready to predict.

    Parameters
    ----------
    weights : str
        Name or file of the weights.
    device : `~torch.device`
        The device.

    Returns
    -------
    `~sersicnet.networks.PosteriorNetwork`
    """
    tensors, metadata = read_weights(weights_path(weights))
    network = build_network(metadata["network"], **metadata["network_config"])
    network.load_state_dict(tensors)
    return network.to(device).eval()


@torch.no_grad()
def check(device, weights, n):
    """Compare images, network and fits on a device with those on the CPU.

    Parameters
    ----------
    device : `~torch.device`
        The device.
    weights : str
        Weights of the network.
    n : int
        Number of galaxies; no more than 32 are compared.

    Returns
    -------
    dict
        ``device`` and ``checks``: for each its name, the largest difference, the limit, and whether
        it holds.
    """
    n = min(n, N_CHECKED)
    scenes = _scenes(n, torch.device("cpu"))
    labels, likelihood = draw_likelihood(n, seed=11)
    found = {}
    for place in (torch.device("cpu"), device):
        here = move(likelihood, place)
        images = sersic_images(labels.to(place), here.transform, stamp_size=SIDE).cpu()
        network = load_network(weights, place)
        inputs = (scenes.data, scenes.weight, scenes.psf)
        posterior = network(*(tensor.to(place) for tensor in inputs))
        truth = to_unconstrained(scenes.labels.to(place))
        fit = levenberg_marquardt(here, labels.to(place))
        found[place] = images, posterior.log_prob_unconstrained(truth).cpu(), fit["mean"].cpu()
    cpu = found[torch.device("cpu")]
    images, density, mean = found[device]
    errors = torch.diagonal(fit["covariance"].cpu(), dim1=1, dim2=2).sqrt()
    peaks = cpu[0].amax(dim=(1, 2), keepdim=True)
    differences = {
        "images": float(((images - cpu[0]).abs() / peaks).max()),
        "log_density": float((density - cpu[1]).abs().max()),
        "fits": float(((mean - cpu[2]).abs() / errors).median(dim=1).values.max()),
    }
    rows = []
    for name, value in differences.items():
        holds = value <= LIMITS[name]
        rows.append({"name": name, "difference": value, "limit": LIMITS[name], "holds": holds})
    return {"device": _name(device), "checks": rows}


def _scenes(n, device):
    """Scenes as those of the training."""
    maker = SceneMaker(12, n_galaxies=_TOGETHER, reuse=1, device=device)
    return next(iter(maker.batches(n)))


@torch.no_grad()
def rates(device, weights, n):
    """Measure how many galaxies per second each part of the package does on a device.

    Parameters
    ----------
    device : `~torch.device`
        The device.
    weights : str
        Weights of the network.
    n : int
        Number of galaxies.

    Returns
    -------
    dict
        ``device``, ``pixels`` (on a side of the stamps), and ``rates``, galaxies per second.
    """
    labels, likelihood = draw_likelihood(n, seed=13)
    labels = labels.to(device)
    likelihood = move(likelihood, device)
    network = load_network(weights, device)
    scenes = _scenes(min(n, 256), device)
    generator = torch.Generator().manual_seed(14)
    n_sampled = min(n, N_SAMPLED)
    fits = levenberg_marquardt(likelihood[:n_sampled], labels[:n_sampled])

    def draw_posteriors():
        posterior = network(scenes.data, scenes.weight, scenes.psf)
        normal = torch.randn(DRAWS, len(scenes.labels), N_LABELS, device=device)
        posterior.transport(normal)

    def sample_posteriors():
        for row in range(n_sampled):
            fit = fits["mean"][row].cpu().double(), fits["covariance"][row].cpu().double()
            target = PosteriorDensity(likelihood[row : row + 1])
            options = {"ess": ESS, "max_samples": 20 * ESS, "generator": generator}
            sample(target, [StudentProposal(*fit)], **options)

    parts = {
        "images": (n, lambda: likelihood.model(labels)),
        "images with derivatives": (n, lambda: likelihood.normal_equations(labels)),
        "network": (len(scenes.labels), draw_posteriors),
        "lm": (n, lambda: levenberg_marquardt(likelihood, labels)),
        "importance": (n_sampled, sample_posteriors),
    }
    found = {name: _rate(number, work, device) for name, (number, work) in parts.items()}
    return {"device": _name(device), "pixels": SIDE, "rates": found}


def _rate(number, work, device):
    """Return galaxies per second of some work, the second time that it is done."""
    for _ in range(2):
        if device.type == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    return round(number / seconds, 2)


def _training(options, device):
    """The options of a training that do not depend on its length."""
    return {
        "batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
        "init": options.weights,
        "kind": options.kind,
        "device": "gpu" if device.type == "cuda" else "cpu",
        "precision": options.precision,
        "progress_bar": False,
    }


def plan_training(options, device, left):
    """Find how many scenes a training sees in the time that is left.

    Parameters
    ----------
    options : `~argparse.Namespace`
        Options of the command.
    device : `~torch.device`
        The device.
    left : float
        Seconds that are left.

    Returns
    -------
    dict
        ``n_scenes``, ``epoch_scenes``, ``n_validation`` and, of the second generation, ``n_kept``,
        arguments of `~sersicnet.training.train_universal`.
    """
    if options.scenes is not None:
        epoch = max(options.batch_size, options.scenes // 2)
        return {"n_scenes": options.scenes, "epoch_scenes": epoch, "n_validation": epoch}
    started = time.monotonic()
    new, again = _trial_rates(options, device)
    seconds = PLANNED * max(0.0, left - (time.monotonic() - started))
    n_scenes = new * seconds
    epoch = new * EPOCH
    if again is not None:
        n_scenes = min(n_scenes, KEPT) + again * max(0.0, seconds - KEPT / new)
        epoch = min(epoch, KEPT_TOGETHER)
    n_scenes = max(options.batch_size, round(n_scenes))
    epoch = max(options.batch_size, round(min(epoch, n_scenes)))
    n_validation = min(4096, max(64, n_scenes // 50))
    found = {"n_scenes": n_scenes, "epoch_scenes": epoch, "n_validation": n_validation}
    return found | ({} if again is None else {"n_kept": KEPT})


def _trial_rates(options, device):
    """New scenes per second of a training, and those shown again, or None where none are."""
    seconds = []
    with TemporaryDirectory(dir=options.output, prefix="trial_") as folder:
        for n_batches in TRIALS:
            n = n_batches * options.batch_size
            trial = partial(_trial, Path(folder) / str(n), options, device, epoch_scenes=n)
            seconds.append(trial(n_scenes=n))
        rate = (TRIALS[1] - TRIALS[0]) * options.batch_size / max(seconds[1] - seconds[0], 1e-3)
        if options.kind == "posterior":
            return rate, None
        more = trial(n_scenes=2 * n, n_kept=n)  # goes on with the same scenes
    outside = max(0.0, seconds[0] - TRIALS[0] * options.batch_size / rate)
    return rate, n / max(more - outside, more / 4, 1e-3)


def _trial(folder, options, device, **shape):
    """Seconds of a trial training."""
    before = time.monotonic()
    train_universal(folder, **_training(options, device), **shape, n_validation=64)
    return time.monotonic() - before


if __name__ == "__main__":
    main()
