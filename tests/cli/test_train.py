"""The command ``sersicnet train``."""

import pytest
from astropy.table import QTable

from sersicnet import SersicNet
from sersicnet.cli.main import main
from sersicnet.diagnostics.scores import split_truth
from sersicnet.training import universal


def test_train_makes_weights_that_load_and_resumes(tmp_path, capsys):
    arguments = ["train", "deeplegato-mag", "-o", str(tmp_path), "--galaxies", "20"]
    assert main([*arguments, "--epochs", "1", "--device", "cpu"]) == 0
    assert "mag" in capsys.readouterr().out
    file = tmp_path / "deeplegato-mag" / "deeplegato-mag.safetensors"
    net = SersicNet.load(file)
    assert net.parameters == ("mag",)
    assert net.record_["n_train"] == 16
    assert net.record_["survey"] == "candels_f160w"
    assert main([*arguments, "--epochs", "2", "--device", "cpu"]) == 0
    assert SersicNet.load(file).history_["epoch"] == [0, 1]
    predicted, truth = split_truth(QTable.read(tmp_path / "deeplegato-mag" / "test.ecsv"))
    assert len(predicted) == len(truth) == 2


def test_train_refuses_an_unknown_recipe(tmp_path, capsys):
    assert main(["train", "alexnet", "-o", str(tmp_path)]) == 1
    assert "NAME='alexnet'" in capsys.readouterr().err


def test_command_line(tmp_path, capsys, monkeypatch):
    """Each option goes where it belongs."""
    seen = {}
    monkeypatch.setattr(
        universal, "train_universal", lambda path, **options: seen.update(options, path=path)
    )
    arguments = "--galaxies 99 --devices 2 --init x.safetensors --batch-size 8 --seed 5 -j 3"
    arguments += f" --learning-rate 0.01 --device cpu --precision bf16-mixed -o {tmp_path}"
    assert main(["train", "universal", *arguments.split()]) == 0
    assert seen == {
        "path": tmp_path / "universal",
        "n_scenes": 99,
        "n_devices": 2,
        "init": "x.safetensors",
        "batch_size": 8,
        "seed": 5,
        "n_workers": 3,
        "learning_rate": 0.01,
        "device": "cpu",
        "precision": "bf16-mixed",
        "progress_bar": False,
    }
    assert capsys.readouterr().out == ""  # not the first process


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("universal --epochs 3", "universal has no --epochs"),
        ("deeplegato --init a.safetensors --seed 3", "deeplegato has no --init or --seed"),
        ("universal -j 0", "argument -j/--jobs: 0 must be 1 or more"),
        ("deeplegato --galaxies 0", "argument --galaxies: 0 must be 1 or more"),
    ],
)
def test_options_of_other_weights_are_mistakes(words, message, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", *words.split(), "-o", str(tmp_path)])
    assert message in capsys.readouterr().err


def test_train_needs_a_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["train", "deeplegato", "-o", str(tmp_path / "file")]) == 1
    assert "is a file, and a folder is needed" in capsys.readouterr().err
