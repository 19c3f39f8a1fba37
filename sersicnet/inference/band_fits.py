"""Joint fits of galaxies in several bands, started from the network, under one or more models."""

from dataclasses import dataclass, replace

import numpy as np

from sersicnet.inference.band_alike import Alike, SingleFits, base_scene
from sersicnet.inference.band_joint import Joint
from sersicnet.inference.band_sampling import BandDraws, sample_bands
from sersicnet.inference.band_seen import PlacedBand
from sersicnet.inference.evidence import NormalEvidence, laplace_evidence, wanted_shares
from sersicnet.inference.fit import Fit
from sersicnet.inference.fits import BatchStart
from sersicnet.model.band_scene import BandScene
from sersicnet.model.labels import N_LABELS
from sersicnet.model.layout import SERSIC
from sersicnet.preprocessing.alignment import BandMaps, align

__all__ = ["BandModel", "fit_bands"]


@dataclass(frozen=True, eq=False)
class BandModel:
    """A model of galaxies in several bands.

    Attributes
    ----------
    constraints : Constraints or Composite, optional
        What is known of N galaxies, or their parts; by default they are Sersic profiles of which
        nothing is known.
    chromatic : bool, optional
        Whether size and index change with wavelength.
    odds : float, optional
        Prior odds of the model, where several are compared.
    """

    constraints: object = None
    chromatic: bool = False
    odds: float = 1.0

    def layout(self, placed):
        """Return the layout of the galaxies in one band."""
        if self.constraints is None:
            return SERSIC
        return base_scene(self.constraints[:0], np.zeros((0, N_LABELS)), placed, [])[0].layout


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Fits of R galaxies under a model.

    Attributes
    ----------
    scene : `~sersicnet.model.band_scene.BandScene`
    labels : (R, K B) `~numpy.ndarray`
        Labels that fits start from.
    fit : `~sersicnet.inference.Fit`
    normal : `~sersicnet.inference.evidence.NormalEvidence`, optional
        Evidences of normal likelihoods around the fits.
    draws : `~sersicnet.inference.band_sampling.BandDraws`, optional
    """

    scene: BandScene
    labels: np.ndarray
    fit: Fit
    normal: NormalEvidence | None = None
    draws: BandDraws | None = None

    def with_evidence(self):
        """Return the same with evidences."""
        return replace(self, normal=laplace_evidence(self.fit.modes, self.scene))

    def sampled(self, alike, network=None, share=1.0):
        """Return the same with draws, if these are asked for.

        Parameters
        ----------
        alike : `~sersicnet.inference.band_alike.Alike`
            The galaxies.
        network : tuple, optional
            The network's answer, if it knows the model, as in `sample_bands`.
        share : float or (R,) `~numpy.ndarray`, optional
            Share of the effective draws that are wanted which is enough.
        """
        sampling = alike.asked.sampling
        if sampling is None:
            return self
        groups = alike.groups(self.labels, self.scene, chunk=1)
        wanted = np.full(len(self.labels), sampling.ess)
        if np.ndim(share):
            wanted = np.clip(wanted * share, sampling.min_ess, sampling.ess)
        options = {"wanted": wanted, "sampling": sampling, "seed": alike.asked.seed}
        draws = sample_bands(groups, self.scene, self.fit, network, self.normal, **options)
        # pictures of galaxies without a fit show the most likely draw
        best = np.where(np.isnan(self.fit.mean), draws.best, self.fit.mean)
        return replace(self, fit=replace(self.fit, mean=best), draws=draws)


def fit_bands(bands, asked, models, neighbors=None):
    """Fit galaxies in several bands: one structure, and light and a shift of each.

    Parameters
    ----------
    bands : dict of SeenBand
        The bands. The first that shows a galaxy is the one that its position refers to.
    asked : Asked
        What is wanted.
    models : dict of BandModel
        One model, or those that are compared, by name.
    neighbors : `~sersicnet.inference.band_groups.Neighbors`, optional
        The sources around the galaxies, of one Sersic profile each, if they are fitted as well.

    Returns
    -------
    dict of `~sersicnet.inference.band_joint.JointBands`
        By the names of the models.
    """
    usable = np.stack([band.usable for band in bands.values()], axis=1)
    first = usable.argmax(axis=1)
    placed = {}
    for number, (name, band) in enumerate(bands.items()):
        maps = _maps(list(bands.values()), first, band)
        usable[:, number] &= maps.inside
        start = BatchStart.of(band.quantiles, band.stamps, band.psfs)
        placed[name] = PlacedBand(band, start, maps)
    joints = {}
    for name, model in models.items():
        layout = model.layout(next(iter(placed.values())))
        joints[name] = Joint(asked, placed, first, layout, chromatic=model.chromatic)
    for shown in np.unique(usable, axis=0):
        rows = np.flatnonzero((usable == shown).all(axis=1))
        group = {name: placed[name] for name, seen in zip(bands, shown, strict=True) if seen}
        if not group:
            continue
        fitted = _compared if len(models) > 1 else _fitted
        alike = Alike.of(group, rows, asked)
        for name, found in fitted(alike, models).items():
            known = rows, list(group), found.scene
            joints[name].add(*known, found.fit, found.normal)
            if found.draws is not None:
                joints[name].add_draws(*known, found.draws)
            if neighbors is not None:
                chosen, fit = neighbors.fit(alike, found)
                if len(chosen):
                    joints[name].add(chosen, list(group), found.scene[: len(chosen)], fit)
    usable = dict(zip(bands, usable.T, strict=True))
    return {name: joint.found(usable) for name, joint in joints.items()}


def _fitted(alike, models):
    """Fit the only model, `_Fitted` by its name."""
    ((name, model),) = models.items()
    single = alike.by_network(chromatic=model.chromatic)
    fit = alike.fit_single(single)
    if model.constraints is None:
        found = _Fitted(single.scene, single.labels.numpy(), fit)
        return {name: found.sampled(alike, alike.start.padded(single.scene))}
    after = SingleFits.of(single.scene, fit.mean)
    scene, starts = alike.starts(model.constraints[alike.rows], after)
    found = _Fitted(scene, starts[0], alike.fit_known(scene, starts))
    if alike.asked.sampling is not None:
        found = found.with_evidence().sampled(alike)
    return {name: found}


def _compared(alike, models):
    """Fit several models to the same pixels, `_Fitted` by name.

    Fits of parts start from those of one Sersic profile.
    """
    single = alike.by_network()
    starts = [(SERSIC.profiles, [single.labels.numpy()])]
    for model in models.values():
        if model.constraints is not None:
            scene, labels = alike.starts(model.constraints[alike.rows], single)
            starts.append((scene.layout.base.profiles, labels))
    alike = alike.sharing(single, starts)
    fit = alike.fit_single(single)
    after = SingleFits.of(single.scene, fit.mean)
    found = {}
    for name, model in models.items():
        if model.constraints is not None:
            scene, labels = alike.starts(model.constraints[alike.rows], after)
            own = _Fitted(scene, labels[0], alike.fit_known(scene, labels))
        elif model.chromatic:
            sloped = alike.by_network(chromatic=True)
            own = _Fitted(sloped.scene, sloped.labels.numpy(), alike.fit_single(sloped))
        else:
            own = _Fitted(single.scene, single.labels.numpy(), fit)
        found[name] = own.with_evidence()
    if alike.asked.sampling is None:
        return found
    odds = np.array([model.odds for model in models.values()])
    evidence = np.stack([own.normal.log_evidence for own in found.values()], axis=1)
    shares = wanted_shares(evidence, odds)
    for number, (name, own) in enumerate(found.items()):
        network = None
        if models[name].constraints is None:
            network = alike.start.padded(own.scene)
        found[name] = own.sampled(alike, network, shares[:, number])
    return found


def _maps(bands, first, band):
    """Return the maps from the stamps of first bands to those of one band."""
    parts = []
    places = []
    for number in np.unique(first):
        rows = np.flatnonzero(first == number)
        if bands[number] is band:
            parts.append(BandMaps.same(len(rows)))
        else:
            parts.append(align(bands[number].stamps[rows], band.stamps[rows]))
        places.append(rows)
    return BandMaps.concatenate(parts)[np.argsort(np.concatenate(places))]
