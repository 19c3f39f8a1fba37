"""Checks of paths: what is read exists, and what is written is nothing that is read."""

import os

import numpy as np
import pytest

from sersicnet.io.paths import check_inputs, check_outputs, file_of, split_path


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.fits"
    path.write_text("pixels")
    return path


def symbolic(image):
    path = image.with_name("symbolic.fits")
    path.symlink_to(image)
    return path


def hard(image):
    path = image.with_name("hard.fits")
    path.hardlink_to(image)
    return path


def other_spelling(image):
    return image.parent / ".." / image.parent.name / image.name


def relative(image):
    return os.path.relpath(image)


@pytest.mark.parametrize("link", [str, relative, other_spelling, symbolic, hard])
def test_an_input_is_no_output(link, image):
    output = link(image)
    with pytest.raises(ValueError, match=r"output=.* would overwrite image=.*: choose another"):
        check_outputs({"output": output}, {"image": image})
    with pytest.raises(ValueError, match="would overwrite cutouts="):
        check_outputs({"output": output}, {"cutouts": [image.with_name("other.fits"), image]})


def test_the_part_of_a_file_is_the_file(image):
    with pytest.raises(ValueError, match=r"would overwrite image=.*image.fits\[2\]"):
        check_outputs({"output": image}, {"image": f"{image}[2]"})
    check_inputs({"image": f"{image}[SCI, 1]"})


def test_two_outputs_differ(tmp_path):
    """Also where neither exists yet."""
    outputs = {"output": tmp_path / "a.fits", "model_image": tmp_path / "." / "a.fits"}
    with pytest.raises(ValueError, match=r"model_image=.* would overwrite output="):
        check_outputs(outputs, {})


def test_other_files_and_what_is_no_path(image):
    outputs = {"output": image.with_name("table.fits"), "model_image": None}
    inputs = {"image": image, "mask": None, "rms": np.ones((3, 3)), "cutouts": [image, image]}
    check_outputs(outputs, inputs)
    check_inputs(inputs)


def test_inputs_exist(image, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"psf=.*absent.fits' does not exist"):
        check_inputs({"image": image, "psf": image.with_name("absent.fits")})
    with pytest.raises(IsADirectoryError, match=r"psf=.* is a folder, and a file is needed"):
        check_inputs({"psf": image.parent})
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"image=.* may not be read"):
        check_inputs({"image": image})


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a.fits", ("a.fits", None, None)),
        ("a.fits[2]", ("a.fits", 2, None)),
        ("dir[1]/a.fits", ("dir[1]/a.fits", None, None)),
        ("a.fits.fz[CCD 2]", ("a.fits.fz", "CCD 2", None)),
        ("a.fits[SCI, 2]", ("a.fits", ("SCI", 2), None)),
        ("a.fits[CCDID 1-1.SCI]", ("a.fits", "CCDID 1-1.SCI", None)),
        ("a.fits[1][3]", ("a.fits", 1, 3)),
    ],
)
def test_parts_of_paths(path, parts):
    assert split_path(path) == parts
    assert file_of(path) == parts[0]
