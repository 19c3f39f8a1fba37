"""Numbers of things in messages."""

__all__ = ["counted"]


def counted(number, noun):
    """Write a number with its noun, singular or plural.

    Parameters
    ----------
    number : int
        The number.
    noun : str
        The noun in the singular, of which the plural is regular.

    Returns
    -------
    str

    Examples
    --------
    >>> from sersicnet._words import counted
    >>> counted(1, "cutout"), counted(1200, "row"), counted(0, "galaxy")
    ('1 cutout', '1200 rows', '0 galaxies')
    """
    if number != 1 and noun.endswith("y"):
        noun = noun[:-1] + "ies"
    elif number != 1:
        noun += "s"
    return f"{number} {noun}"
