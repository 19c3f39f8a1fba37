"""The columns of what needs no profile: sizes, concentration, asymmetry and others."""

import astropy.units as u

from sersicnet.parameters import Column

__all__ = ["MORPHOLOGY_COLUMNS"]


def _columns():
    """Make the columns."""
    about = {
        "concentration": "5 times log10 of r80 over r20",
        "asymmetry": "differences after half a turn over the light, without noise",
        "asymmetry_err": "error of asymmetry",
        "rms_asymmetry2": "squared differences after half a turn over the squared light",
        "rms_asymmetry2_err": "error of rms_asymmetry2",
        "smoothness": "light in structure that smoothing removes, without noise",
        "gini": "Gini coefficient of the pixels of the galaxy",
        "m20": "log10 of the second moment's share in the brightest 20 % of light",
        "concentration_model": "concentration of the model behind the PSF",
        "smoothness_model": "smoothness of the model behind the PSF",
        "gini_model": "gini of the model behind the PSF",
        "m20_model": "m20 of the model behind the PSF",
        "residual_fraction": "sum of absolute residuals over the light, without noise",
        "residual_asymmetry": "differences of residuals after half a turn over the light",
        "filled_fraction": "share of the light in missing pixels, which the model fills",
    }
    size = "semi-major axis of the Petrosian ellipse"
    columns = [Column("r_petro", u.arcsec, size, format=".4f", ucd="phys.angSize")]
    for percent in (20, 50, 80):
        text = f"radius of a circle with {percent} % of the light within 1.5 Petrosian radii"
        columns.append(Column(f"r{percent}", u.arcsec, text, format=".4f", ucd="phys.angSize"))
    for name, text in about.items():
        ucd = "stat.error;src.morph.param" if name.endswith("_err") else "src.morph.param"
        columns.append(Column(name, None, text, format=".4f", ucd=ucd))
    return tuple(columns)


MORPHOLOGY_COLUMNS = _columns()
