"""The Sersic profile as one of several."""

from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.profiles import PROFILES


def test_labels_of_profiles():
    """They are known without torch as well."""
    assert {name: profile.LABELS for name, profile in PROFILES.items()} == PROFILE_LABELS
