"""Networks in files."""

import pytest


def test_save_where_there_is_no_folder(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        trained.save(tmp_path / "nowhere" / "net.safetensors")
