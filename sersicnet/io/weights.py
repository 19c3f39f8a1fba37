"""Weights on disk: safetensors with metadata that describe themselves, and those that are shipped.

Nothing is pickled: a file holds arrays and one JSON text, so opening one cannot run code.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from sersicnet.io.files import atomic_path

__all__ = [
    "list_pretrained",
    "pretrained_path",
    "read_weights",
    "weights_label",
    "weights_path",
    "write_weights",
]

FORMAT = "sersicnet-1"
_FOLDER = Path(__file__).parents[1] / "weights"


def list_pretrained():
    """The weights that are shipped with the package.

    Returns
    -------
    `~astropy.table.Table`
        One row each: ``name``, ``parameters``, ``network``, ``survey``, ``n_trained`` (galaxies
        in the training set) and ``description``.
    """
    from astropy.table import Table  # training machines may lack it
    from safetensors import safe_open

    rows = []
    for path in sorted(_FOLDER.glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            metadata = json.loads(file.metadata()["sersicnet"])
        record = metadata["record"]
        rows.append(
            (
                path.stem,
                ", ".join(metadata["parameters"]),
                metadata["network"],
                record.get("survey", ""),
                record.get("n_train", 0),
                record.get("description", ""),
            )
        )
    names = ("name", "parameters", "network", "survey", "n_trained", "description")
    return Table(rows=rows or None, names=names, dtype=(str, str, str, str, int, str))


def pretrained_path(name):
    """File of the shipped weights ``name``.

    Raises
    ------
    ValueError
        If there are none of that name.
    """
    path = _FOLDER / f"{name}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in _FOLDER.glob("*.safetensors")))
        msg = f"name={name!r} must be one of the shipped weights: {known or 'there are none'}"
        raise ValueError(msg)
    return path


def weights_path(weights):
    """``weights`` itself where it names a ``*.safetensors`` file, else that of shipped weights.

    Raises
    ------
    ValueError
        If there are no shipped weights of that name.
    """
    path = Path(weights)
    return path if path.suffix == ".safetensors" else pretrained_path(weights)


def weights_label(path):
    """Name and SHA-256 of a file of weights, a str that is kept with what they measure.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"weights={str(path)!r} cannot be read: {error}"
        raise type(error)(msg) from error
    return f"{path.stem}, sha256 {digest}"


def write_weights(path, tensors, metadata):
    """Write tensors and metadata, atomically.

    Parameters
    ----------
    path : str or path
        The file, usually ``*.safetensors``.
    tensors : dict of str to `~torch.Tensor`
        The state of a network.
    metadata : dict
        What JSON can hold, and numpy numbers. Format and checksum are added.

    Raises
    ------
    TypeError
        If the metadata hold something else.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = json.loads(json.dumps({"format": FORMAT, **metadata}, default=_plain))
    metadata["sha256"] = _digest(tensors, metadata)
    # A file that safetensors itself writes can be read by its owner only.
    content = save(tensors, metadata={"sersicnet": json.dumps(metadata)})
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def read_weights(path):
    """Read what `write_weights` wrote.

    Returns
    -------
    tensors : dict of str to `~torch.Tensor`
        The state of a network.
    metadata : dict
        What was given to `write_weights`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, corrupted, or not sersicnet's.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        msg = f"there is no weights file {path}"
        raise FileNotFoundError(msg)
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("sersicnet", "{}")
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
        metadata = json.loads(text)
    except (SafetensorError, UnicodeDecodeError, json.JSONDecodeError) as error:
        msg = f"{path} is not a readable safetensors file: {error}"
        raise ValueError(msg) from error
    written_as = metadata.get("format") if isinstance(metadata, dict) else None
    if written_as != FORMAT:
        msg = f"{path} was not written by SersicNet.save: format {written_as!r}"
        raise ValueError(msg)
    if metadata.pop("sha256", None) != _digest(tensors, metadata):
        msg = f"{path} is corrupted: the checksum does not agree"
        raise ValueError(msg)
    # The first files have the British spelling in the names of their settings.
    return tensors, json.loads(json.dumps(metadata).replace("neighbour", "neighbor"))


def _plain(value):
    """A numpy number as one of Python's."""
    if not isinstance(value, np.generic):
        msg = f"the metadata hold {value!r}: {type(value).__name__} is not JSON serializable"
        raise TypeError(msg)
    return value.item()


def _digest(tensors, metadata):
    """SHA-256 over the metadata and over names, types, shapes and bytes of all tensors."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
