"""The parser of the commands: what all of them have, and mistakes on the command line."""

import re
from pathlib import Path

import pytest

from sersicnet import __version__
from sersicnet.cli.main import main

GUIDE = Path(__file__).parents[2] / "docs" / "user_guide" / "command_line.rst"
COMMANDS = ("demo", "predict", "measure", "survey", "inject", "simulate", "train", "report")


def run(arguments, capsys):
    """Exit status and what was printed."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code, capsys.readouterr()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_a_description_and_an_example(command, capsys):
    status, printed = run([command, "--help"], capsys)
    assert status == 0
    usage, description, *_ = re.split(r"\n\n", printed.out)
    assert usage.startswith(f"usage: sersicnet {command}")
    assert re.fullmatch(r"[A-Z][^\n]*(\n[^\n]+)*\.", description)
    assert re.search(rf"examples?:\n  sersicnet {command}( |\n)", printed.out)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_argument_has_a_text(command, capsys):
    """Also ``-o`` and ``--device``."""
    _, printed = run([command, "--help"], capsys)
    lists = printed.out.split("arguments:\n")[1].split("\n\nexample")[0]
    for argument in re.split(r"\n  (?=\S)", lists):
        assert re.search(r"(  |\n\s+)\w+ ?\w*", argument.strip()), argument


@pytest.mark.parametrize("command", [*COMMANDS, "psf"])
def test_each_option_is_in_the_guide(command, capsys):
    _, printed = run([command, "--help"], capsys)
    options = set()
    for line in printed.out.split("\noptions:\n")[1].splitlines():
        if line.startswith("  -"):
            options |= {word.strip(",)") for word in line.split() if word.startswith("--")}
    assert {"--help", "--output"} <= options
    guide = set(GUIDE.read_text(encoding="utf-8").replace("``", " ").split())
    assert options - guide == set()


@pytest.mark.parametrize("arguments", [["--version"], ["measure", "--version"]])
def test_version(arguments, capsys):
    status, printed = run(arguments, capsys)
    assert status == 0
    assert printed.out == f"sersicnet {__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--treshold", "2"], "unrecognized arguments: --treshold (did you mean --threshold?) 2"),
        (["--treshold=2"], "--treshold=2 (did you mean --threshold?)"),
        (["--model-im", "m.fits"], "--model-im (did you mean --model-image?)"),
        (["--psf-over", "2"], "--psf-over (did you mean --psf-oversampling?)"),
        (["--nonsense-and-more"], "unrecognized arguments: --nonsense-and-more\n"),
        (["other.fits"], "unrecognized arguments: other.fits\n"),
    ],
)
def test_unknown_options(words, message, capsys):
    """Nothing is an abbreviation, which could become another option later."""
    status, printed = run(["measure", "a.fits", "-o", "a.ecsv", *words], capsys)
    assert status == 2
    assert printed.err.startswith("sersicnet measure: error: unrecognized arguments: ")
    assert message in printed.err


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["measure"], ["predict", "a", "-o"]])
def test_mistakes_end_with_2(arguments, capsys):
    status, printed = run(arguments, capsys)
    assert status == 2
    message, hint = printed.err.splitlines()
    assert message.startswith("sersicnet")
    assert "error: " in message
    assert hint.endswith("--help lists all options")


def test_an_unknown_model_is_one_clear_line(capsys):
    """Not the usage of all options before it."""
    status, printed = run(["measure", "a.fits", "-o", "a.ecsv", "--model", "sersic+disk"], capsys)
    assert status == 2
    message, _ = printed.err.splitlines()
    assert message.startswith(
        "sersicnet measure: error: argument --model: invalid choice: 'sersic+"
    )
    assert "'sersic+exp'" in message


@pytest.mark.parametrize("command", ["simulate", "survey", "train"])
def test_the_number_of_processes_has_one_name(command, capsys):
    _, printed = run([command, "--help"], capsys)
    assert re.search(r"-j N, --jobs N\s+number of processes", printed.out)
