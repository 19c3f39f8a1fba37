"""Options of commands, and messages that name them."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData

from sersicnet import SersicNet
from sersicnet.cli.main import main
from sersicnet.cli.options import read_named_cutouts
from sersicnet.io.cutouts import write_cutout


@pytest.mark.parametrize("command", ["predict", "demo"])
def test_zero_point_pixel_scale_and_weights_are_options(command, tmp_path):
    if command == "demo":
        pytest.importorskip("matplotlib")
    SersicNet.from_pretrained("deeplegato").save(tmp_path / "own.safetensors")
    write_cutout(CCDData(np.eye(64), unit="adu"), tmp_path / "plain.fits")
    output = tmp_path / ("out" if command == "demo" else "out.ecsv")
    arguments = [command, str(tmp_path / "plain.fits"), "-o", str(output)]
    assert main(arguments) == 1
    options = ["--zeropoint", "25", "--pixel-scale", "0.06"]
    assert main([*arguments, *options, "--weights", str(tmp_path / "own.safetensors")]) == 0
    assert output.exists()


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("predict", [], "pass --zeropoint (AB magnitude"),
        ("predict", ["--zeropoint", "25"], "pass --pixel-scale (arcsec per pixel)"),
        ("predict", ["--pixel-scale", "-1"], "--pixel-scale=-1.0 must be 0.001"),
        ("predict", ["--refine", "lm", "--weights", "cosmos"], "--refine='lm' needs the posterior"),
        ("simulate", ["-j", "0"], "--jobs=0 must be 1 or more"),
        ("simulate", ["--seed", "-1"], "--seed=-1 must be a non-negative integer"),
        ("simulate", ["-n", "-1"], " n=-1 must be a non-negative integer"),  # no option --n
    ],
)
def test_errors_name_options(command, options, message, tmp_path, capsys):
    write_cutout(CCDData(np.eye(64), unit="adu", psf=np.eye(3)), tmp_path / "plain.fits")
    what = {"predict": str(tmp_path / "plain.fits"), "simulate": "candels_f160w"}[command]
    assert main([command, what, "-o", str(tmp_path / "out.ecsv"), *options]) == 1
    assert message in capsys.readouterr().err


def test_bits_of_masks(tmp_path, capsys):
    """As a sum, or as names that the header knows."""
    mask = np.array([[0, 1, 4], [5, 2, 0]], dtype=np.int32)
    path = tmp_path / "cutout.fits"
    hdus = [fits.PrimaryHDU(header=fits.Header({"TELESCOP": "JWST"}))]
    hdus += [fits.ImageHDU(np.ones(mask.shape), name="SCI"), fits.ImageHDU(mask, name="DQ")]
    fits.HDUList(hdus).writeto(path)
    for bits, expected in ((None, 1), ("4", 4), ("JUMP_DET,SATURATED", 6)):
        (cutout,), _, status = read_named_cutouts([str(path)], mask_bits=bits)
        assert status == 0
        np.testing.assert_array_equal(cutout.mask, mask & expected > 0)
    output = tmp_path / "out.ecsv"
    assert main(["predict", str(path), "-o", str(output), "--mask-bits", "SATT"]) == 1
    assert (
        "mask_bits='SATT' is not a bit of this mask (JWST): DO_NOT_USE" in capsys.readouterr().err
    )
