"""Galaxies injected into a small survey image, measured as it is."""

import logging
import re

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fields import NOISE, make_field, render, truth_table
from helpers.measured import value
from numpy.testing import assert_array_equal

from sersicnet.diagnostics import injection_summary, split_truth
from sersicnet.inference import Population
from sersicnet.io.cutouts import write_cutout
from sersicnet.io.tables import read_table
from sersicnet.measure import catalog_cutouts, inject_galaxies, measure_image
from sersicnet.measure.field import open_field
from sersicnet.measure.injected_field import Gain, with_galaxies
from sersicnet.measure.injection import _silence
from sersicnet.measure.injection_match import match_injections
from sersicnet.measure.psf import field_psf

SHAPE = (240, 240)
TABLE = {"mag": [15.0], "r_eff": [0.4], "n": [1.0], "q": [0.7]}


@pytest.fixture(scope="module")
def small():
    """A corner of the survey image, which has a few sources."""
    return make_field(render(truth_table())[: SHAPE[0], : SHAPE[1]])


def galaxies():
    """Bright galaxies, one of them too faint to be found."""
    n = 12
    rng = np.random.default_rng(3)
    mag = np.append(rng.uniform(14.5, 16.5, n - 1), 23.0)
    table = {"mag": mag, "r_eff": rng.uniform(0.3, 0.6, n)}
    return table | {"n": rng.uniform(0.8, 2, n), "q": rng.uniform(0.4, 1, n)}


@pytest.fixture(scope="module")
def injected(small, net, tmp_path_factory):
    output = tmp_path_factory.mktemp("injected") / "injected.ecsv"
    before = small.data.copy()
    table = inject_galaxies(
        small, galaxies(), net=net, min_distance=50, gain=10.0, output=output, seed=3
    )
    assert_array_equal(small.data, before)
    return table, output


def test_bright_galaxies_are_found_and_measured(injected):
    table, _ = injected
    assert not table["detected"][-1]
    assert np.isnan(table["mag"][-1])
    alone = table[:-1][table["source_distance"][:-1].value > 20]
    assert alone["detected"].all()
    assert (alone["distance"].value < 1).all()
    for name, limit in (("mag", 0.15), ("x_0", 0.5), ("y_0", 0.5)):
        error = value(alone[name]) - value(alone[f"true_{name}"])
        assert np.median(np.abs(error)) < limit
    ratio = injection_summary(alone, fewest=5)["error_ratio_mag"][0]
    assert 0.3 < ratio < 3


def test_the_table_says_what_was_done(injected, small):
    table, output = injected
    assert table.meta["NINJECT"] == len(table) == 12
    assert table.meta["NROUNDS"] == table["round"].max() + 1 > 1
    assert table.meta["GAIN"] == 10
    assert table.meta["PHOTONS"] == "added to the noise map"
    assert table.meta["REFINE"] == "none"
    good = np.sum(~small.mask)
    assert table.meta["AREA"] == pytest.approx(good * (0.1 / 60) ** 2, rel=0.01)
    for name in table.colnames:
        assert table[name].info.description, name
    again = QTable.read(output)
    assert_array_equal(again["true_mag"].value, table["true_mag"].value)
    assert_array_equal(again["detected"], table["detected"])


def test_a_file_is_measured_like_the_image(injected, small, net, tmp_path):
    """Noise and mask in files of their own; the files stay as they are."""
    table, _ = injected
    plain = make_field(np.zeros(SHAPE), uncertainty=None, mask=None)
    plain.data = small.data
    write_cutout(plain, tmp_path / "field.fits")
    fits.writeto(tmp_path / "rms.fits", np.full(SHAPE, NOISE))
    fits.writeto(tmp_path / "mask.fits", small.mask.astype(np.uint8))
    before = (tmp_path / "field.fits").read_bytes()
    found = inject_galaxies(
        tmp_path / "field.fits",
        galaxies(),
        rms=tmp_path / "rms.fits",
        mask=tmp_path / "mask.fits",
        net=net,
        min_distance=50,
        gain=10.0,
        seed=3,
    )
    assert (tmp_path / "field.fits").read_bytes() == before
    assert_array_equal(found["detected"], table["detected"])
    np.testing.assert_allclose(value(found["mag"]), value(table["mag"]), atol=5e-3)


def test_galaxies_on_sources_are_told_apart(small, net):
    """A faint galaxy on a bright source is not what is found there, a bright one is."""
    sources = measure_image(small, net=net)
    source = sources[np.nanargmin(sources["mag"].value)]
    place = {f"{axis}_0": [source[f"{axis}_centroid"].value] * 2 for axis in "xy"}
    faint = source["mag"].value + 3
    table = {name: values * 2 for name, values in TABLE.items()} | place
    table |= {"mag": [faint, faint - 7]}
    with pytest.warns(AstropyUserWarning, match="2 of 2 given positions are on sources"):
        found = inject_galaxies(small, table, net=net)
    assert found["on_source"].all()
    assert_array_equal(found["round"], [0, 1])
    assert_array_equal(found["detected"], [False, True])
    assert found["source_mag"].value == pytest.approx(source["mag"].value)


def test_only_sources_near_galaxies_are_measured(injected, small, net):
    """The values are those of a measurement of all sources."""
    table, _ = injected
    number = table["round"][0]
    truth, part = split_truth(table[table["round"] == number])[::-1]
    truth["id"] = part["id"]
    psf = field_psf(small.psf)
    options = {"pixel_scale": None, "zeropoint": 25.0, "normalize_psf": True, "seed": 3}
    with open_field(small) as field:
        image = with_galaxies(field, truth, psf, gain=Gain(10.0), **options)
        catalog = measure_image(image, net=net, gain=10.0, seed=3)
    matches = match_injections(truth, catalog, catalog[:0], radius=3)
    assert len(catalog) > len(truth)
    found = matches["row"] >= 0
    assert_array_equal(found[part["detected"]], True)
    expected = catalog[matches["row"][part["detected"]]]
    np.testing.assert_allclose(
        value(part["mag"][part["detected"]]), value(expected["mag"]), atol=1e-3
    )


def test_fits_together_with_neighbors_measure_all_sources(small, net, monkeypatch):
    """Models of neighbors need them; the image as it is, is measured by the network alone."""
    seen = []

    def measure(image, **options):
        seen.append((image.is_wanted is None, options["refine"]))
        return measure_image(image, **(options | {"refine": None}))

    monkeypatch.setattr("sersicnet.measure.injection.measure_image", measure)
    inject_galaxies(small, TABLE, net=net, refine="lm")
    assert seen == [(True, None), (True, "lm")]


def test_pictures_are_of_the_image_with_galaxies(injected, small):
    """The brightest pixel of a bright galaxy is where it was injected, in its round."""
    table, output = injected
    for catalog in (table, read_table(output)):
        found = catalog_cutouts(catalog, small)
        for row in np.flatnonzero(table["detected"]):
            place = [round(table[f"true_{axis}_0"][row].value) for axis in "xy"]
            x, y = place - found.corners[row]
            middle = found.cutouts[row].data[y - 2 : y + 3, x - 2 : x + 3]
            assert np.nanmean(middle) > NOISE
        assert found.cutouts[-1] is None


def test_pictures_have_the_psf_in_the_middle(injected, small):
    """A star that is off the middle of its stamp is moved there, as in the measurement."""
    table = injected[0].copy()
    del table.meta["GAIN"]  # whose noise would differ
    straight = catalog_cutouts(table, small)
    shifted = catalog_cutouts(table, small, psf=np.pad(small.psf, ((2, 0), (2, 0))))
    row = np.flatnonzero(table["detected"])[0]
    difference = shifted.cutouts[row].data - straight.cutouts[row].data
    brightest = np.nanmax(straight.cutouts[row].data)
    assert np.nanmax(np.abs(difference)) < 0.05 * brightest


def test_the_log_says_it_once(small, net, caplog):
    with caplog.at_level(logging.INFO, logger="sersicnet"):
        inject_galaxies(small, TABLE, net=net, n_galaxies=2, min_distance=200)
    text = caplog.text
    assert text.count("sky: median level") == 1
    assert "2 galaxies in 2 rounds; the image has" in text
    assert "no noise of their own (the gain is not known)" in text
    assert "of 2 injected galaxies were detected" in text


def test_silence_ends_with_an_error():
    level = logging.getLogger("sersicnet").level
    with pytest.raises(RuntimeError), _silence():
        raise RuntimeError
    assert logging.getLogger("sersicnet").level == level


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "hexagons"}, "layout='hexagons' must be one of grid, random"),
        ({"min_distance": 0}, "min_distance=0 must be a positive number of pixels"),
        ({"match_radius": -1}, "match_radius=-1 must be a positive number of pixels"),
        ({"seed": -1}, "seed=-1 must be a non-negative integer"),
        ({"min_distance": 5, "match_radius": 3}, "min_distance=5 must be at least twice"),
        ({"catalog": QTable()}, "catalog= gives the positions of sources"),
        ({"n_galaxies": 0}, "n_galaxies=0 must be a positive integer"),
        ({"gain": 0}, "gain=0 must be a positive number"),
        ({"output": "injected.csv"}, "output='injected.csv' must end in"),
    ],
)
def test_impossible_settings(options, message, small, net):
    with pytest.raises(ValueError, match=message):
        inject_galaxies(small, TABLE, net=net, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_distance": "80"}, "min_distance='80' must be a number"),
        ({"match_radius": 3 * u.pix}, "match_radius=<Quantity 3. pix> must be a number"),
        ({"net": 5}, "net must be a SersicNet or the name of shipped weights, not int"),
        ({"population": 5}, "population=5 must be None, 'infer', a path or a Population"),
    ],
)
def test_other_types(options, message, small, net):
    with pytest.raises(TypeError, match=re.escape(message)):
        inject_galaxies(small, TABLE, **({"net": net} | options))


def test_given_positions_that_cannot_be_found(small, net):
    small = CCDData(small, mask=small.mask.copy())
    small.mask[100:110, 100:110] = True
    place = {"x_0": [105.0], "y_0": [105.0]}
    with pytest.warns(AstropyUserWarning, match="1 of 1 given positions are in pixels without"):
        found = inject_galaxies(small, TABLE | place, net=net)
    assert not found["detected"][0]


def test_the_population_is_that_of_the_image(small, net, monkeypatch):
    """Injected galaxies are another population; theirs is not inferred."""
    seen = []
    known = Population.known(lambda mag, log_r_eff, n, q: 0.3 * mag)

    def infer(results, *, seed):
        seen.append(sum(map(len, results)))
        return known

    monkeypatch.setattr(Population, "infer", infer)
    table = {name: np.repeat(values, 4) for name, values in TABLE.items()}
    found = inject_galaxies(small, table, net=net, min_distance=100, population="infer")
    assert seen == [found.meta["NSOURCES"]]
    assert found.meta["NROUNDS"] > 1
    good = found["detected"]
    assert np.isfinite(found["mag_population"][good]).any()
    given = inject_galaxies(small, table, net=net, min_distance=100, population=known)
    assert_array_equal(value(given["mag_population"]), value(found["mag_population"]))


def test_an_unknown_option_is_suggested(small):
    with pytest.raises(TypeError, match="did you mean match_radius"):
        inject_galaxies(small, TABLE, match_radiu=3)


def test_the_psf_is_needed(net):
    image = make_field(np.zeros(SHAPE), psf=None)
    with pytest.raises(ValueError, match="image has none: a PSF is made from 5 stars or more"):
        inject_galaxies(image, TABLE, net=net)


def test_doubts_about_the_psf_are_said(small, net):
    moved = np.roll(small.psf, 1, axis=1)
    with pytest.warns(AstropyUserWarning, match="off the middle of its stamp"):
        inject_galaxies(small, TABLE, net=net, psf=moved, min_distance=100)


def test_a_large_galaxy(small, net):
    with pytest.raises(ValueError, match="r_eff=40 arcsec is too large for an image of 240 x 240"):
        inject_galaxies(small, TABLE | {"r_eff": [40.0]}, net=net)


def test_the_table_of_galaxies_is_not_overwritten(small, net, tmp_path):
    path = tmp_path / "galaxies.ecsv"
    QTable(TABLE).write(path)
    with pytest.raises(ValueError, match="would overwrite galaxies="):
        inject_galaxies(small, path, net=net, output=path)
