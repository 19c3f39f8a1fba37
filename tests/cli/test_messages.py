"""What commands print besides their results."""

import logging
import warnings

import numpy as np
import pytest
from astropy.table import Table

from sersicnet.cli.messages import in_options, messages_of, show_progress, show_rows
from sersicnet.cli.parser import CommandParser, add_command
from sersicnet.diagnostics.summary import NO_RESULT


@pytest.fixture
def parse():
    commands = CommandParser(prog="sersicnet").add_subparsers()
    parser = add_command(commands, "count", summary="Count.", example="count", run=len)
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("--psf")
    parser.add_argument("-n", type=int)
    return lambda *words: parser.parse_args(["a.fits", *words])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("psf=None and no cutout has one", "no --psf and no cutout has one"),
        ("pass psf= (a stamp)", "pass --psf (a stamp)"),
        ("image='a.fits' does not exist", "IMAGE='a.fits' does not exist"),
        ("n=-1 must be positive", "n=-1 must be positive"),
        ("other=3 is not an option", "other=3 is not an option"),
        ("'psf=3' is quoted, a/psf=3 a path", "'psf=3' is quoted, a/psf=3 a path"),
    ],
)
def test_messages_name_what_the_help_names(parse, message, expected):
    assert in_options(message, parse()) == expected


def test_messages_name_cutouts(parse):
    options = parse()
    message = "cutouts[1] has no pixel scale, cutouts[7] is none"
    assert in_options(message, options) == message
    options.names = ["a", "b"]
    assert in_options(message, options) == "CUTOUT b has no pixel scale, cutouts[7] is none"


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], ["--psf info"]), (["--quiet"], []), (["--verbose"], ["debug", "--psf info"])],
)
def test_the_log_is_on_the_error_stream(parse, words, expected, capsys):
    log = logging.getLogger("sersicnet")
    with messages_of(parse(*words)):
        log.debug("debug")
        log.info("psf= info")
        log.warning("careful")
    log.warning("later")
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = [*expected, "careful"]
    assert printed.err == "".join(f"sersicnet: {line}\n" for line in lines)
    assert not log.handlers


def test_switches_have_no_value():
    parser = CommandParser()
    parser.set_defaults(parser=parser)
    parser.add_argument("--morphology", action="store_true")
    parser.add_argument("--no-companions", dest="companions", action="store_false")
    options = parser.parse_args([])
    assert in_options("morphology=True needs a PSF", options) == "--morphology needs a PSF"
    assert in_options("companions=False is odd", options) == "--no-companions is odd"
    assert in_options("morphology= is for one band", options) == "--morphology is for one band"
    assert in_options("companions= is for fits", options) == "companions= is for fits"


@pytest.mark.filterwarnings("default:psf")
def test_warnings_are_one_line_each(parse, capsys):
    with messages_of(parse("--quiet")):
        warnings.warn("psf= is odd", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "sersicnet: warning: --psf is odd\n"


def test_progress_is_for_terminals(parse, monkeypatch):
    assert not show_progress(parse())
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert show_progress(parse())
    assert not show_progress(parse("--quiet"))


@pytest.mark.parametrize(
    ("values", "status", "expected"),
    [
        ([20.0, 21.0], 0, ""),
        ([20.0, np.nan], 0, "sersicnet: 1 of 2 rows has no result: see flags\n"),
        ([np.nan, np.nan], 1, "sersicnet: none of 2 rows has a result: see flags\n"),
        ([], 1, "sersicnet: no source was found\n"),
    ],
)
def test_rows_without_a_result_are_said(values, status, expected, capsys):
    assert show_rows(Table({"mag": np.array(values, float)})) == status
    assert capsys.readouterr().err == expected
    shown = Table({"id": np.arange(len(values))}, meta={NO_RESULT: int(np.isnan(values).sum())})
    assert show_rows(shown) == status
    assert capsys.readouterr().err == expected
