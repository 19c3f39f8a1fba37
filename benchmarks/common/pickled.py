"""Results that are kept in pickles, so that a benchmark which was stopped goes on."""

import pickle

from sersicnet.io.files import atomic_path

__all__ = ["pickled"]


def pickled(folder, name, make, *arguments):
    """Return what a function makes, from a file where it is there.

    Only files that the same user has written belong in the folder: reading a pickle runs code.

    Parameters
    ----------
    folder : `~pathlib.Path` or None
        Folder of the files; None keeps nothing.
    name : str
        Name of the file, without its suffix.
    make : callable
        Function that makes it.
    *arguments
        Its arguments.

    Returns
    -------
    object
    """
    if folder is None:
        return make(*arguments)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    made = make(*arguments)
    with atomic_path(path) as partial:
        partial.write_bytes(pickle.dumps(made))
    return made
