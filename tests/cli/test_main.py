"""The command line, the demonstration and the recipes: run as a user would."""

from sersicnet.cli.main import main


def test_errors_are_one_line(files, tmp_path, capsys):
    arguments = ["predict", *files, "-o", str(tmp_path / "x.ecsv"), "--weights", "nonsense"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("sersicnet: --weights='nonsense' must be one of")
    assert error.count("\n") == 1


def test_interrupted(files, tmp_path, monkeypatch, capsys):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("sersicnet.io.cutouts.read_cutouts", interrupt)
    assert main(["predict", *files, "-o", str(tmp_path / "out.ecsv")]) == 130
    assert capsys.readouterr().err == "sersicnet: interrupted\n"
