"""What tests of the report share; not to be changed by a test."""

import pytest


@pytest.fixture(scope="session")
def results(trained, galaxies):
    """Those of sixty galaxies; not to be changed by a test."""
    return trained.predict(galaxies[0])


@pytest.fixture
def table(results):
    return results.to_table()


@pytest.fixture(scope="session")
def truth(galaxies):
    return galaxies[1]
