"""Results in the files of other codes: what was measured comes back."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from helpers.cutouts import SCALE, ZEROPOINT
from helpers.toys import NOISE
from numpy.testing import assert_allclose

from sersicnet import Model, NormalPrior
from sersicnet.networks.densities import NormalDensity
from sersicnet.parameters import PARAMETERS, label_names
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.results import SersicResults

SEVEN = tuple(PARAMETERS)
TRUTH = {"mag": 20.0, "r_eff": 0.6, "n": 4.0, "q": 0.6, "theta": -35.0, "x_0": 30.2, "y_0": 28.9}
BULGE = {"mag": 21.0, "r_eff": 0.2, "n": 4.0, "q": 0.8, "theta": 20.0}
DISK = {"mag": 20.5, "r_eff": 0.9, "n": 1.0, "q": 0.5, "theta": 20.0}


def make_results(*, fixed=(), n=1, parts=None, columns=None, meta=None):
    """Results whose medians are the truth; what is fixed has no error."""
    ones = np.ones(n)
    frame = StampFrame(NOISE * ones, ZEROPOINT * ones, SCALE * ones, ones, 31.5 * ones, 27.5 * ones)
    truth = {name: value * ones for name, value in TRUTH.items()}
    labels = frame.to_labels(truth, SEVEN)
    mean = np.stack([labels[name] for name in label_names(SEVEN)], axis=1)
    answer = NormalDensity(label_names(SEVEN), mean, np.full(mean.shape, 0.01))
    quantiles = answer.quantiles(frame, SEVEN)
    for name in fixed:
        quantiles[SEVEN.index(name)] = TRUTH[name]
    if parts is not None:
        answer = PartsDensity(answer.names, answer.mean, answer.scale, parts)
    rest = frame, np.zeros(n, int), np.tile((56, 64), (n, 1)), [None] * n
    return SersicResults(SEVEN, answer, quantiles, *rest, columns=columns or {}, meta=meta or {})


@dataclass(frozen=True, eq=False)
class PartsDensity(NormalDensity):
    """A posterior of several parts."""

    parts: tuple = ()
    shared = ("names", "parts")


def bulge_and_disk():
    """Results of a bulge of a known index in a disk at the same angle."""
    columns = {"sky": np.array([0.25])}
    for part, values in (("bulge", BULGE), ("disk", DISK)):
        for name, value in values.items():
            columns[f"{name}_{part}"] = np.array([value])
            columns[f"{name}_{part}_err"] = np.array([0.0 if name == "n" else 0.1])
    parts = (("bulge", "sersic"), ("disk", "sersic"))
    meta = {"MODEL": "sersic+exp, fixed: n_bulge, tied: theta"}
    return make_results(parts=parts, columns=columns, meta=meta)


def numbers(path, key):
    """The numbers of the first line of a file that begins with a word."""
    for line in path.read_text().splitlines():
        if line.startswith(f"{key} "):
            return [float(word) for word in line.partition("#")[0].split()[1:] if word != "fixed"]
    raise KeyError(key)


def test_one_profile_for_galfit(tmp_path):
    results = make_results(fixed=("n", "x_0", "y_0"))
    path = results.to_galfit(tmp_path / "one.feedme", image="image.fits", psf="psf.fits")
    assert numbers(path, "1)") == [31.2, 29.9, 0, 0]
    assert_allclose(numbers(path, "3)"), [20.0, 1], atol=1e-6)
    assert_allclose(numbers(path, "4)"), [0.6 / SCALE, 1], atol=1e-6)
    assert_allclose(numbers(path, "5)"), [4, 0], atol=1e-6)
    assert_allclose(numbers(path, "10)"), [55, 1], atol=1e-4)
    assert numbers(path, "H)") == [1, 64, 1, 56]
    assert numbers(path, "J)") == [ZEROPOINT]
    assert "A) image.fits" in path.read_text()
    model = Model.from_galfit(path)
    assert_allclose([model.settings[name] for name in ("n", "x_0", "y_0")], [4, 30.2, 28.9])


def test_bulge_and_disk_for_galfit(tmp_path):
    path = bulge_and_disk().to_galfit(tmp_path / "two.feedme")
    text = path.read_text()
    assert "0) sersic" in text
    assert "0) expdisk" in text
    constraints = path.with_name("two.feedme.constraints").read_text().splitlines()
    assert constraints == ["1_2 x offset", "1_2 y offset", "1_2 pa offset"]
    with pytest.warns(UserWarning, match="the sky is 0.25"):
        model = Model.from_galfit(path)
    assert model.describe() == "sersic+exp, fixed: n_bulge, tied: theta"


def test_bulge_and_disk_for_imfit(tmp_path):
    path = bulge_and_disk().to_imfit(tmp_path / "two.imfit")
    text = path.read_text()
    assert "# theta is the same for both" in text
    assert text.count("X0") == 1
    with pytest.warns(UserWarning, match="the sky is 0.25"):
        model = Model.from_imfit(path)
    assert model.describe() == "sersic+exp, fixed: n_bulge"


def test_imfit_draws_what_was_measured(tmp_path):
    """Away from the center, where imfit averages over pixels."""
    pyimfit = pytest.importorskip("pyimfit")
    results = bulge_and_disk()
    path = results.to_imfit(tmp_path / "two.imfit")
    text = path.read_text().partition("FUNCTION FlatSky")[0]
    path.write_text(text)
    drawn = pyimfit.Imfit(pyimfit.parse_config_file(str(path))).getModelImage((56, 64))
    y, x = np.mgrid[:56, :64]
    far = np.hypot(x - TRUTH["x_0"], y - TRUTH["y_0"]) > 6
    assert_allclose(drawn[far], results.to_model(0)(x, y)[far], rtol=0.02)


def test_imfit_fits_a_written_file(tmp_path):
    """From other values, to those that were measured. It holds what is fixed where limits are."""
    pyimfit = pytest.importorskip("pyimfit")
    path = make_results(fixed=("n",)).to_imfit(tmp_path / "one.imfit")
    description = pyimfit.parse_config_file(str(path))
    image = pyimfit.Imfit(description).getModelImage((56, 64))
    far = path.with_name("far.imfit")
    lines = path.read_text().splitlines()
    lines = ["r_e 4.5 0.1,30" if line.startswith("r_e ") else line for line in lines]
    far.write_text("\n".join(lines))
    fitter = pyimfit.Imfit(pyimfit.parse_config_file(str(far)))
    fitter.fit(image, error=np.full(image.shape, 0.01 * image.max()))
    found = dict(zip(fitter.numberedParameterNames, fitter.getRawParameters(), strict=True))
    assert_allclose(found["r_e_1"], 0.6 / SCALE, rtol=0.01)
    assert found["n_1"] == 4


def test_which_galaxy_is_written(tmp_path):
    several = make_results(n=3)
    with pytest.raises(ValueError, match="index=None: there are 3 galaxies, and a file holds one"):
        several.to_galfit(tmp_path / "file")
    assert several.to_imfit(tmp_path / "file", index=2).is_file()
    with pytest.raises(IndexError, match="index=3 must be the number of a row"):
        several.to_imfit(tmp_path / "file", index=3)
    with pytest.raises(TypeError, match="to_galfit has no noise: there are image, sigma, psf, mas"):
        several.to_galfit(tmp_path / "file", index=0, noise="a")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        several.to_galfit(tmp_path / "none" / "file", index=0)


def test_a_galaxy_that_was_not_measured_is_not_written(tmp_path):
    results = make_results()
    lost = replace(results, quantiles=np.full_like(results.quantiles, np.nan))
    with pytest.raises(ValueError, match="galaxy 0 was not measured"):
        lost.to_galfit(tmp_path / "file")
    with pytest.raises(ValueError, match="galaxy 0 was not measured"):
        lost.to_imfit(tmp_path / "file")
    assert not list(tmp_path.iterdir())


LIMITED = Model("sersic", priors={"n": NormalPrior(4, 100, low=2, high=6)})


@pytest.mark.parametrize("code", ["galfit", "imfit"])
def test_limits_are_written(tmp_path, code):
    priors = {"r_eff": NormalPrior(0.6, 90, low=0.2, high=3), "x_0": NormalPrior(30, 90, 20, 40)}
    model = Model("sersic", priors=LIMITED.settings | priors)
    results = make_results(meta={"MODEL": model.describe()})
    path = getattr(results, f"to_{code}")(tmp_path / "one", model=model)
    options = {"pixel_scale": SCALE} if code == "imfit" else {}
    again = getattr(Model, f"from_{code}")(path, **options)
    assert again.describe() == model.describe()
    for name, prior in model.settings.items():
        both = [again.settings[name].low, again.settings[name].high]
        assert_allclose(both, [prior.low, prior.high], rtol=1e-6)


def test_limits_of_a_magnitude_are_none_of_imfit(tmp_path):
    model = Model("sersic", priors={"mag": NormalPrior(20, 900, low=15, high=25)})
    results = make_results(meta={"MODEL": model.describe()})
    text = results.to_imfit(tmp_path / "one", model=model).read_text()
    assert "# limits of a magnitude are left out: imfit has those of I_e" in text


def test_priors_that_files_do_not_have(tmp_path):
    results = make_results(meta={"MODEL": LIMITED.describe()})
    with pytest.warns(UserWarning, match="priors of the model 'sersic, priors: n' are not in"):
        results.to_galfit(tmp_path / "one")
    normal = Model("sersic", priors={"n": NormalPrior(4, 0.5)})
    with pytest.warns(UserWarning, match="n: a prior that is not flat between limits is not"):
        results.to_galfit(tmp_path / "one", model=normal)
    with pytest.raises(ValueError, match=r"is not what was fitted, which is 'sersic, priors: n'"):
        results.to_galfit(tmp_path / "one", model=Model("sersic"))
    with pytest.raises(TypeError, match="model='sersic' must be the Model that was fitted"):
        results.to_imfit(tmp_path / "one", model="sersic")
