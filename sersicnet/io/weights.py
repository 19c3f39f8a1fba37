"""Weights files: safetensors that describe themselves, and the weights that are shipped.

Nothing is pickled: a file holds arrays and one JSON text, so opening a file cannot run code.
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

# The second has a prior, of which the meaning of the weights depends.
FORMATS = ("sersicnet-1", "sersicnet-2")
_FOLDER = Path(__file__).parents[1] / "weights"


def list_pretrained():
    """List the weights that are shipped with the package.

    Returns
    -------
    `~astropy.table.Table`
        One row per file: ``name``, ``parameters``, ``network``, ``survey``, ``n_trained``
        (galaxies in the training set) and ``description``.

    Examples
    --------
    >>> from sersicnet.io import list_pretrained
    >>> "universal" in list_pretrained()["name"]
    True
    """
    from astropy.table import Table  # machines that only train may lack it
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
    """Find the file of shipped weights.

    Parameters
    ----------
    name : str
        Name of the weights, as in `list_pretrained`.

    Returns
    -------
    `~pathlib.Path`

    Raises
    ------
    ValueError
        If no weights of this name are shipped.
    """
    shipped = {path.stem: path for path in _FOLDER.glob("*.safetensors")}
    if name not in shipped:
        known = ", ".join(sorted(shipped)) or "there are none"
        msg = f"name={name!r} must be one of the shipped weights: {known}"
        raise ValueError(msg)
    return shipped[name]


def weights_path(weights):
    """Find a weights file by its path, or by the name of shipped weights.

    Parameters
    ----------
    weights : str or path-like
        A path that ends in ``.safetensors``, else the name of shipped weights.

    Returns
    -------
    `~pathlib.Path`

    Raises
    ------
    ValueError
        If no weights of this name are shipped.
    """
    path = Path(weights)
    if path.suffix == ".safetensors":
        return path
    return pretrained_path(weights)


def weights_label(path):
    """Describe a weights file by its name and SHA-256, to be kept with what it measures.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    str

    Raises
    ------
    OSError
        If the file cannot be read.
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
    """Write tensors and metadata; the file appears when it is complete.

    Parameters
    ----------
    path : str or path-like
        The file, usually ``*.safetensors``.
    tensors : dict of str to `~torch.Tensor`
        State of a network.
    metadata : dict
        Values that JSON can hold, and NumPy numbers. Format and checksum are added: with a
        ``prior``, the format is ``sersicnet-2``, else ``sersicnet-1``.

    Raises
    ------
    TypeError
        If the metadata hold something else.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from sersicnet.io import read_weights, write_weights
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "line.safetensors"
    ...     write_weights(path, torch.nn.Linear(1, 1).state_dict(), {"network": "line"})
    ...     tensors, metadata = read_weights(path)
    >>> sorted(tensors), metadata["network"]
    (['bias', 'weight'], 'line')
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    written_as = FORMATS["prior" in metadata]
    metadata = json.loads(json.dumps({"format": written_as, **metadata}, default=_plain))
    metadata["sha256"] = _digest(tensors, metadata)
    # A file that safetensors itself writes can be read by its owner only.
    content = save(tensors, metadata={"sersicnet": json.dumps(metadata)})
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def read_weights(path):
    """Read a file that `write_weights` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    tensors : dict of str to `~torch.Tensor`
        State of a network.
    metadata : dict
        The metadata that were passed to `write_weights`.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is truncated or corrupted, or was not written by sersicnet.

    Examples
    --------
    See `write_weights`.
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
    # RecursionError: JSON that is nested thousands of times
    except (SafetensorError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        msg = f"{path} is not a readable safetensors file: {error}"
        raise ValueError(msg) from error
    written_as = None
    if isinstance(metadata, dict):
        written_as = metadata.get("format")
    if written_as not in FORMATS:
        msg = f"{path} was not written by SersicNet.save: format {written_as!r}"
        raise ValueError(msg)
    if metadata.pop("sha256", None) != _digest(tensors, metadata):
        msg = f"{path} is corrupted: the checksum does not agree"
        raise ValueError(msg)
    # The first files spell the names of their settings in British English.
    return tensors, json.loads(json.dumps(metadata).replace("neighbour", "neighbor"))


def _plain(value):
    """Convert a NumPy number to a number of Python, for JSON."""
    if not isinstance(value, np.generic):
        msg = f"the metadata hold {value!r}: {type(value).__name__} is not JSON serializable"
        raise TypeError(msg)
    return value.item()


def _digest(tensors, metadata):
    """SHA-256 of the metadata and of names, types, shapes and bytes of all tensors."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
