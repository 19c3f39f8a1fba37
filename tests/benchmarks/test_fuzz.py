"""Random cutouts of any kind: none raises, and none is lost without a flag."""

import pytest

from benchmarks import fuzz
from sersicnet import Flags, SersicNet


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained()


@pytest.mark.parametrize("number", range(3))
def test_random_cutouts(net, number):
    flags = fuzz.check_batch(net, number)
    assert len(flags) == fuzz.BATCH


def test_random_cutouts_are_fitted(net):
    fuzz.check_batch(net, 4, 12, refine="lm")


@pytest.mark.parametrize("forgotten", [-1, int(Flags.LOW_SNR)])
def test_a_fault_is_reported(net, monkeypatch, forgotten):
    """All flags are forgotten, or only that of what has no magnitude."""
    predict = SersicNet.predict

    def forget(self, *arguments, **options):
        results = predict(self, *arguments, **options)
        flags = results.flags & ~forgotten
        object.__setattr__(results, "flags", flags)
        return results

    monkeypatch.setattr(SersicNet, "predict", forget)
    with pytest.raises(RuntimeError, match=r"batch 0: cutout \d+ has"):
        fuzz.check_batch(net, 0)


def test_the_command_counts_flags(capsys):
    fuzz.main(["-n", "12"])
    assert "NO_DATA" in capsys.readouterr().out
