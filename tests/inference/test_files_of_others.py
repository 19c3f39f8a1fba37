"""Files of GALFIT and imfit, of the kinds that papers use: read, fitted, written, read again."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from helpers.cutouts import SCALE
from helpers.rendered import NOISE, draw_parts, labels_of, star
from numpy.testing import assert_allclose

from sersicnet import Model, NormalPrior, SersicNet, decode_flags
from sersicnet.preprocessing import mask_neighbors

FOLDER = Path(__file__).with_name("files_of_others")
SIDE = 48
# Magnitudes of the files as labels: the logarithm of the light in units of the noise.
MAG = {mag: 0.4 * (25 - mag) - np.log10(NOISE) for mag in (17.2, 17.8, 18.2, 19.9)}
CENTER = {"dx": 0.6, "dy": 0.2}
SHAPE = {"r_eff": 4.8, "n": 2.5, "q": 0.7, "theta": 40.0}
GALAXY = labels_of(log_flux=MAG[17.2], **SHAPE, **CENTER)
STEEP = labels_of(log_flux=MAG[17.2], **SHAPE | {"n": 4.0}, **CENTER)
FLAT = labels_of(log_flux=MAG[17.2], **SHAPE | {"n": 1.0, "q": 0.6}, **CENTER)
MIDDLE = {"dx": 0.5, "dy": 0.5}
BULGE = {"log_flux": MAG[17.8], "r_eff": 1.9, "n": 2.5, "q": 0.8, "theta": 40.0}
DISK = {"log_flux": MAG[17.2], "r_eff": 4.2 * 1.678347, "n": 1.0, "q": 0.6, "theta": 40.0}
HOST = {"log_flux": MAG[17.2], "r_eff": 4.8, "n": 1.5, "q": 0.7, "theta": -50.0}
FAINT = {"log_flux": MAG[19.9], "r_eff": 2.0, "n": 1.0, "q": 0.9, "theta": -80.0}
PAIR = [*labels_of(**FAINT, dx=18.5, dy=-16.5), *GALAXY]
TWO = [*labels_of(**BULGE, **MIDDLE), *labels_of(**DISK, **MIDDLE)]
DEVAUC = [*labels_of(**BULGE | {"n": 4.0, "q": 0.6}, **MIDDLE), *labels_of(**DISK, **MIDDLE)]
QUASAR = [MAG[18.2], 0.5, 0.5, *labels_of(**HOST, **MIDDLE)]

# The galaxy in the image, its description as a model, and numbers of the file's components.
FILES = {
    "single": (GALAXY, "sersic", None),
    "sky": (GALAXY, "sersic, priors: mag r_eff x_0 y_0", None),
    "neighbor": (PAIR, "sersic, priors: n", 1),
    "fixed_index": (STEEP, "sersic, fixed: n x_0 y_0", None),
    "galfit2": (GALAXY, "sersic, fixed: q theta", None),
    "oversampled_disk": (FLAT, "exponential, fixed: n theta", None),
    "bulge_disk": (TWO, "sersic+exp, priors: n_bulge r_eff_disk, tied: theta", None),
    "nucleus_bulge_disk": (TWO, "sersic+exp", (2, 3)),
    "devauc_disk": (DEVAUC, "sersic+exp, fixed: n_bulge, tied: q theta", None),
    "quasar": (QUASAR, "point+sersic", None),
}
# What each file says that is not part of a model.
NOTES = {
    "neighbor": "line 1: '2-1  mag  0 5' of neighbor.constraints is about a component that is not",
    "nucleus_bulge_disk": "line 2: '1_2_3  y  offset' of nucleus_bulge_disk.constraints is about",
    "oversampled_disk": r"line 10: the PSF is oversampled: use predict\(psf_oversampling=2\)",
}
# The same of imfit.
OF_IMFIT = {
    "sersic_sky": (GALAXY, "sersic, priors: r_eff n q x_0 y_0"),
    "bulge_disk": (
        TWO,
        "sersic+exp, fixed: n_bulge, priors: x_0 y_0 r_eff_bulge q_bulge r_eff_disk q_disk",
    ),
    "quasar": (QUASAR, "point+sersic, priors: x_0 y_0 q_host"),
}
PROFILES = {7: ("sersic",), 14: ("sersic", "sersic"), 10: ("point", "sersic")}


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained()


def read(name):
    """The model of a file, whose notes are expected."""
    path = FOLDER / f"{name}.feedme"
    components = FILES[name][2]
    if name not in NOTES:
        return Model.from_galfit(path, components=components)
    with pytest.warns(AstropyUserWarning, match=NOTES[name]):
        return Model.from_galfit(path, components=components)


def check_same(first, second):
    """Two models know the same of the same parameters."""
    assert first.describe() == second.describe()
    for name, value in first.settings.items():
        other = second.settings[name]
        if isinstance(value, NormalPrior):
            assert_allclose([other.low, other.high], [value.low, value.high], rtol=1e-6)
        else:
            assert_allclose(other, value, atol=1e-6)


@pytest.mark.parametrize("name", FILES)
def test_read_fitted_and_written(net, name, tmp_path):
    labels, description, _ = FILES[name]
    model = read(name)
    assert model.describe() == description
    finer = 2 if name == "oversampled_disk" else 1
    cutout = draw_parts(labels, PROFILES[len(labels)], size=SIDE, psf=None)
    psf = star(shape=(83, 83), oversampling=2) if finer == 2 else star()
    light = 10 ** labels[-7]
    if name == "neighbor":
        cutout = mask_neighbors(cutout)
    elif len(labels) > 7:
        light += 10 ** labels[0]
    results = net.predict([cutout], psf=psf, psf_oversampling=finer, model=model, sky="fixed")

    table = results.to_table()
    mag = 25 - 2.5 * np.log10(NOISE * light)
    assert abs(table["mag"][0].value - mag) < 5 * table["mag_err"][0].value

    path = results.to_galfit(tmp_path / "out.feedme", model=model)
    with pytest.warns(AstropyUserWarning) if finer == 2 else nullcontext():
        again = Model.from_galfit(path)
    check_same(model, again)
    assert f"E) {finer} " in path.read_text()


@pytest.mark.parametrize("name", OF_IMFIT)
@pytest.mark.filterwarnings("ignore:.*limits of (an angle|I_.*) are not part of a model")
@pytest.mark.filterwarnings("ignore:.*the sky is")
def test_the_same_of_imfit(net, name, tmp_path):
    labels, description = OF_IMFIT[name]
    path = FOLDER / f"{name}.imfit"
    model = Model.from_imfit(path, pixel_scale=SCALE)
    assert model.describe() == description
    cutout = draw_parts(labels, PROFILES[len(labels)], size=SIDE)
    results = net.predict([cutout], model=model)
    assert not set(decode_flags(results.flags[0])) & {"FAILED", "MISFIT", "OUTSIDE_PRIOR"}
    written = results.to_imfit(tmp_path / path.name, model=model)
    check_same(model, Model.from_imfit(written, pixel_scale=SCALE))

    pyimfit = pytest.importorskip("pyimfit")
    own = pyimfit.parse_config_file(str(path)).functionNameList()
    assert set(pyimfit.parse_config_file(str(written)).functionNameList()) <= {*own, "FlatSky"}
