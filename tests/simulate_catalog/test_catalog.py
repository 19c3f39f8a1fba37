"""Catalogs of galaxies: priors, splits and files."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table
from helpers.simulated import CANDELS, COSMOS, NAMES
from numpy.testing import assert_array_equal
from scipy.stats import kstest, spearmanr

from sersicnet.parameters import PARAMETERS, Prior
from sersicnet.simulate_catalog.catalog import (
    draw_catalog,
    read_catalog,
    split_catalog,
    write_catalog,
)
from sersicnet.simulate_catalog.config import PSFModel
from sersicnet.simulate_catalog.render import render_catalog


@pytest.mark.parametrize("config", [CANDELS, COSMOS], ids=lambda config: config.name)
def test_priors_hold(config):
    catalog = draw_catalog(2000, config, seed=1)
    for name, prior in config.priors.items():
        values = np.asarray(getattr(catalog[name], "value", catalog[name]))
        assert prior.lower <= values.min() < values.max() <= prior.upper
        if prior.log:
            values, prior = np.log(values), Prior(np.log(prior.lower), np.log(prior.upper))
        uniform = (prior.lower, prior.upper - prior.lower)
        assert kstest(values, "uniform", uniform).pvalue > 0.01
    sizes = catalog["size"]
    assert (sizes.min(), sizes.max()) == config.stamp_size
    for name in ("x_0", "y_0"):
        shifts = catalog[name].value - (sizes - 1) / 2
        limit = config.center_jitter
        assert kstest(shifts, "uniform", (-limit, 2 * limit)).pvalue > 0.01
    columns = [np.asarray(getattr(catalog[name], "value", catalog[name])) for name in PARAMETERS]
    shift = [columns.pop() - (sizes - 1) / 2 for _ in range(2)]
    correlations = spearmanr(np.transpose([*columns, *shift])).statistic
    assert np.abs(correlations - np.eye(7)).max() < 0.08  # 3.5 sigma of 2000


def test_catalog_has_units_and_says_what_it_is():
    catalog = draw_catalog(3, CANDELS, seed=5)
    assert tuple(catalog.colnames) == NAMES
    for name, parameter in PARAMETERS.items():
        assert getattr(catalog[name], "unit", None) == parameter.unit
    assert catalog["id"].tolist() == [0, 1, 2]
    assert catalog["size"].dtype.kind == catalog["id"].dtype.kind == "i"
    assert (catalog["psf_fwhm"] == 0.18 * u.arcsec).all()
    assert (catalog["psf_jitter"] == 0 * u.arcsec).all()
    assert catalog.meta["seed"] == 5


def test_ranges_of_the_psf_are_drawn_from():
    config = CANDELS.replace(psf=PSFModel(fwhm=(0.1, 0.2), jitter=(0.01, 0.03)))
    catalog = draw_catalog(500, config, seed=1)
    assert kstest(catalog["psf_fwhm"].value, "uniform", (0.1, 0.1)).pvalue > 0.01
    assert kstest(catalog["psf_jitter"].value, "uniform", (0.01, 0.02)).pvalue > 0.01


def test_center_stays_in_the_smallest_cutouts():
    config = CANDELS.replace(stamp_size=(1, 3), center_jitter=50.0)
    catalog = draw_catalog(100, config, seed=1)
    for name in ("x_0", "y_0"):
        assert (catalog[name].value >= 0).all()
        assert (catalog[name].value <= catalog["size"] - 1).all()


def test_galaxy_does_not_depend_on_how_many_are_drawn():
    few, many = (draw_catalog(n, COSMOS, seed=3) for n in (4, 9))
    for name in NAMES:
        assert_array_equal(few[name], many[name][:4])
    other = draw_catalog(4, COSMOS, seed=4)
    assert not (other["mag"] == few["mag"]).any()


@pytest.mark.parametrize("arguments", [{"n": -1}, {"n": 2.5}, {"seed": -1}, {"seed": None}])
def test_bad_numbers_of_galaxies_are_named(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"{name}=.* must be a non-negative integer"):
        draw_catalog(**{"n": 1, "config": CANDELS, "seed": 1} | arguments)


def test_split_is_complete_and_disjoint():
    catalog = draw_catalog(101, CANDELS, seed=1)
    parts = split_catalog(catalog, seed=2)
    assert [len(part) for part in parts] == [81, 10, 10]
    ids = np.concatenate([part["id"] for part in parts])
    assert sorted(ids) == list(range(101))
    for part in parts:
        assert (np.diff(part["id"]) > 0).all()
        assert_array_equal(part["mag"], catalog["mag"][part["id"]])
        assert part.meta == catalog.meta
    assert (np.diff(np.concatenate([split_catalog(catalog, seed=2)[1]["id"]])) > 0).all()
    again, other = split_catalog(catalog, seed=2), split_catalog(catalog, seed=3)
    assert_array_equal(parts[2]["id"], again[2]["id"])
    assert not np.array_equal(parts[2]["id"], other[2]["id"])
    halves = split_catalog(catalog, (0.5, 0.5), seed=2)
    assert sum(map(len, halves)) == 101


@pytest.mark.parametrize("fractions", [(0.5, 0.4), (1.5, -0.5), (1.0, 0.0), 1.0])
def test_bad_fractions_are_named(fractions):
    with pytest.raises(ValueError, match=r"fractions=.* must be positive and sum to 1"):
        split_catalog(draw_catalog(2, CANDELS, seed=1), fractions, seed=1)


@pytest.mark.parametrize("suffix", ["ecsv", "fits"])
@pytest.mark.parametrize(
    "config",
    [
        CANDELS,
        COSMOS,
        CANDELS.replace(name="'a' & \"b\" " * 30, gain=np.inf),
        CANDELS.replace(psf=PSFModel("image", image=np.random.default_rng(0).random((41, 40)))),
    ],
    ids=["candels", "cosmos", "quotes", "image"],
)
def test_catalog_is_read_back_exactly(tmp_path, config, suffix):
    """Warnings are errors here, so writing units to FITS does not warn either."""
    catalog, path = draw_catalog(5, config, seed=1), tmp_path / f"catalog.{suffix}"
    write_catalog(catalog[1:], path)
    found, found_config = read_catalog(path)
    assert found_config == config
    assert found.colnames == catalog.colnames
    assert dict(found.meta) == dict(catalog.meta)
    assert isinstance(found, QTable)
    for name in NAMES:
        assert getattr(found[name], "unit", None) == getattr(catalog[name], "unit", None)
        assert_array_equal(found[name], catalog[name][1:])
    (first,) = render_catalog(found[:1], found_config.replace(stamp_size=(9, 9)), seed=1)
    assert first.meta["ID"] == 1


def test_empty_catalog_is_read_back(tmp_path):
    catalog = draw_catalog(0, CANDELS, seed=1)
    write_catalog(catalog, tmp_path / "catalog.ecsv")
    found, config = read_catalog(tmp_path / "catalog.ecsv")
    assert len(found) == 0
    assert list(render_catalog(found, config, seed=1)) == []


def test_bad_files_are_named(tmp_path):
    catalog, path = draw_catalog(1, CANDELS, seed=1), tmp_path / "catalog.ecsv"
    with pytest.raises(
        ValueError, match=r"path='catalog.csv' must end in .ecsv, .fits, .parquet, .vot or .xml"
    ):
        write_catalog(catalog, "catalog.csv")
    write_catalog(catalog, path)
    with pytest.raises(OSError, match="exists"):
        write_catalog(catalog, path)
    write_catalog(catalog, path, overwrite=True)
    Table({"mag": [1.0]}).write(path, overwrite=True)
    with pytest.raises(ValueError, match="has no 'config' in its metadata"):
        read_catalog(path)
