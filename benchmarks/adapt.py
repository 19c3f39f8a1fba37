"""How much the universal network gains by adapting to labeled galaxies, and what it forgets.

::

    python -m benchmarks.validation_sets --directory SETS prior-clean euclid-contaminated
    python -m benchmarks.adapt SETS docs/_static/adapt

There are two surveys. One is the validation set ``euclid-contaminated`` as it is, similar to the
training data of the network. The other, ``resampled``, is the same set after what a pipeline may do
to all of its images: they are smoothed by a Gaussian of 1 pixel, as by resampling, which correlates
the noise over more pixels than in training, while the noise map has the rms of one pixel; and its
PSF stamps, smoothed in the same way, are 8 % too narrow. The network adapts to the first 50 or 200
galaxies and is scored on the last 200. Its scores on ``prior-clean`` show what it forgets.
"""

import time

import numpy as np
import torch
from astropy.nddata import StdDevUncertainty
from astropy.table import QTable
from scipy.ndimage import affine_transform, gaussian_filter

from benchmarks.common.command import make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.validation_sets import load_set
from sersicnet import SersicNet
from sersicnet.diagnostics import compare
from sersicnet.model import to_unconstrained
from sersicnet.training.labeled import labeled_scenes

FOUR = ("mag", "r_eff", "n", "q")
# Width of the Gaussian that smooths the images, in pixels.
SMOOTHING = 1.0
# Width of the PSF stamps over that of the true PSF.
NARROWER = 0.92
# Numbers of galaxies to adapt to.
SIZES = (50, 200)
# Number of galaxies of each survey to score.
N_TEST = 200
# Number of galaxies of prior-clean to score.
N_OLD = 400


def main(arguments=None):
    """Adapt to both surveys, and write the table."""
    parser = make_parser(__doc__, "sets")
    text = "largest number of epochs of an adaptation, by default 30"
    parser.add_argument("--epochs", type=int, default=30, help=text)
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
            adapted = _adapt(name, images[:n], truth[:n], options.epochs)
            rows.append(_row(name, n, "others") | measure(adapted, *test))
            rows.append(_row(name, n, "prior-clean") | measure(adapted, *old))
    table = QTable(rows=rows)
    write_rounded(table, options.output / "adapt.csv", decimals=3)
    print_table(table)


def _adapt(name, cutouts, truth, max_epochs):
    """Adapt the universal network to some galaxies of a survey."""
    start = time.process_time()
    adapted = SersicNet.from_pretrained().set_params(max_epochs=max_epochs)
    adapted.fit(cutouts, truth, warm_start=True, recenter_psf=False, progress_bar=False)
    seconds = time.process_time() - start
    epochs = len(adapted.history_["epoch"])
    losses = adapted.record_["validation_loss"]
    cost = f"{seconds:.0f} CPU seconds, {epochs} epochs, {losses}"
    print(f"{name}, {len(cutouts)}: {cost}", flush=True)
    return adapted


def _row(survey, labeled, measured):
    return {"survey": survey, "labeled": labeled, "measured": measured}


def resample(cutout):
    """Return a cutout with a smoothed image, correlated noise, and a PSF that is too narrow."""
    resampled = cutout.copy()
    resampled.data = gaussian_filter(np.where(cutout.mask, 0, cutout.data), SMOOTHING)
    kernel = np.zeros((25, 25))
    kernel[12, 12] = 1
    # rms of smoothed white noise
    rms = np.sqrt(np.sum(gaussian_filter(kernel, SMOOTHING) ** 2))
    resampled.uncertainty = StdDevUncertainty(cutout.uncertainty.array * rms)
    psf = gaussian_filter(cutout.psf, SMOOTHING)
    middle = (np.array(cutout.psf.shape) - 1) / 2
    matrix = np.eye(2) / NARROWER
    resampled.psf = affine_transform(psf, matrix, offset=middle - matrix @ middle)
    return resampled


@torch.no_grad()
def measure(net, cutouts, truth):
    """Score a network on some galaxies.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Network to score.
    cutouts : list of `~astropy.nddata.CCDData`
        Cutouts of the galaxies.
    truth : `~astropy.table.QTable`
        True values.

    Returns
    -------
    dict
        ``loss``, the mean of -log of the density at the truth, with its standard error; bias and
        scatter of ``r_eff`` and ``n``; and ``coverage``, the mean of that of the 68 % intervals of
        four parameters.
    """
    scenes, *_ = labeled_scenes(
        cutouts,
        truth,
        psf=None,
        psf_options={"normalize": True, "oversampling": 1, "recenter": False},
        units={"pixel_scale": None, "zeropoint": None},
        stamp_size=net.stamp_size,
    )
    losses = []
    for start in range(0, len(scenes), 64):
        *images, labels = scenes[start : start + 64].tensors()
        losses.append(-net.network_(*images).log_prob_unconstrained(to_unconstrained(labels)))
    loss = torch.cat(losses).numpy()
    row = {"loss": loss.mean(), "loss_err": loss.std() / np.sqrt(len(loss))}
    predicted = net.predict(cutouts, recenter_psf=False).to_table()
    scores = {name: compare(predicted, truth, name) for name in FOUR}
    for name in ("r_eff", "n"):
        row[f"{name}_bias"] = scores[name].bias
        row[f"{name}_nmad"] = scores[name].scatter
    row["coverage"] = np.mean([score.coverage for score in scores.values()])
    return row


if __name__ == "__main__":
    main()
