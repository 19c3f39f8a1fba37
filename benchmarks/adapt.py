"""What the universal network gains by adapting to labeled galaxies, and what it forgets.

::

    python -m benchmarks.validation_sets --directory SETS prior-clean euclid-contaminated
    python -m benchmarks.adapt SETS docs/_static/adapt

Two surveys. One is the validation set ``euclid-contaminated`` as it is: like what the network was
trained on. The other, ``resampled``, is the same after what a pipeline may do to all of its images:
they are smoothed by a Gaussian of 1 pixel, as by resampling, which correlates the noise over more
pixels than in training while the noise map tells the rms of one pixel; and its PSF stamps, smoothed
likewise, are 8 % too narrow. The network adapts to the first 50 or 200 galaxies; the last
200 are measured. What it forgets is told by ``prior-clean``.
"""

import time

import numpy as np
import torch
from astropy.nddata import StdDevUncertainty
from astropy.table import QTable
from scipy.ndimage import affine_transform, gaussian_filter

from benchmarks.common.command import parser_of
from benchmarks.common.tables import write_rounded
from benchmarks.validation_sets import load_set
from sersicnet import SersicNet
from sersicnet.diagnostics.comparison import compare
from sersicnet.model.unconstrained import to_unconstrained
from sersicnet.training.labeled import labeled_scenes

FOUR = ("mag", "r_eff", "n", "q")
SMOOTHING, NARROWER = 1.0, 0.92
# Galaxies to adapt to, and of each survey to measure.
SIZES, N_TEST, N_OLD = (50, 200), 200, 400


def main(arguments=None):
    """Adapt to both surveys, and write the table."""
    parser = parser_of(__doc__, "sets")
    parser.add_argument("--epochs", type=int, default=30, help="most epochs of an adaptation")
    options = parser.parse_args(arguments)
    cutouts, truth = load_set("euclid-contaminated", options.sets)
    old = load_set("prior-clean", options.sets, n=N_OLD)
    surveys = {"resampled": [resample(cutout) for cutout in cutouts], "as it is": cutouts}
    net = SersicNet.from_pretrained()
    rows = [_row("none", 0, "prior-clean") | measure(net, *old)]
    for name, images in surveys.items():
        test = images[-N_TEST:], truth[-N_TEST:]
        rows.append(_row(name, 0, "others") | measure(net, *test))
        for n in SIZES:
            start = time.process_time()
            adapted = SersicNet.from_pretrained().set_params(max_epochs=options.epochs)
            adapted.fit(images[:n], truth[:n], warm_start=True, progress_bar=False)
            seconds = time.process_time() - start
            epochs, losses = len(adapted.history_["epoch"]), adapted.record_["validation_loss"]
            print(f"{name}, {n}: {seconds:.0f} CPU seconds, {epochs} epochs, {losses}", flush=True)
            rows.append(_row(name, n, "others") | measure(adapted, *test))
            rows.append(_row(name, n, "prior-clean") | measure(adapted, *old))
    table = QTable(rows=rows)
    write_rounded(table, options.output / "adapt.csv", decimals=3)
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


def _row(survey, labeled, measured):
    return {"survey": survey, "labeled": labeled, "measured": measured}


def resample(cutout):
    """A cutout as a survey has it that smooths its images and takes its PSFs for sharper."""
    spoiled = cutout.copy()
    spoiled.data = gaussian_filter(np.where(cutout.mask, 0, cutout.data), SMOOTHING)
    kernel = np.zeros((25, 25))
    kernel[12, 12] = 1
    rms = np.sqrt(np.sum(gaussian_filter(kernel, SMOOTHING) ** 2))  # of smoothed white noise
    spoiled.uncertainty = StdDevUncertainty(cutout.uncertainty.array * rms)
    psf, middle = gaussian_filter(cutout.psf, SMOOTHING), (np.array(cutout.psf.shape) - 1) / 2
    matrix = np.eye(2) / NARROWER
    spoiled.psf = affine_transform(psf, matrix, offset=middle - matrix @ middle)
    return spoiled


@torch.no_grad()
def measure(net, cutouts, truth):
    """Mean of -log of the density at the truth, with its error, and scores of four parameters.

    ``coverage`` is the mean of that of the four 68 % intervals.
    """
    units, options = dict.fromkeys(("pixel_scale", "zeropoint")), {"normalize": True}
    options = {"psf": None, "psf_options": options | {"oversampling": 1}, "units": units}
    scenes, _ = labeled_scenes(cutouts, truth, stamp_size=net.stamp_size, **options)
    losses = []
    for start in range(0, len(scenes), 64):
        *images, labels = scenes[start : start + 64].tensors()
        losses.append(-net.network_(*images).log_prob_unconstrained(to_unconstrained(labels)))
    loss = torch.cat(losses).numpy()
    row = {"loss": loss.mean(), "loss_err": loss.std() / np.sqrt(len(loss))}
    predicted = net.predict(cutouts).to_table()
    found = {name: compare(predicted, truth, name) for name in FOUR}
    for name in ("r_eff", "n"):
        row |= {f"{name}_bias": found[name].bias, f"{name}_nmad": found[name].scatter}
    return row | {"coverage": np.mean([each.coverage for each in found.values()])}


if __name__ == "__main__":
    main()
