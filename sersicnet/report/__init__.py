"""A page about measured galaxies: one HTML file with a table, pictures and figures (Bokeh).

The file contains everything that it needs, and opens from disk without a network. Importing this
package is free; `write_report` needs Bokeh, part of ``sersicnet[report]``.

write
    `write_report`: from results or a catalog to the file.
data
    The contents of the page as plain arrays: columns, samples, curves.
page, figures, detail
    The parts of the page: table and filters, figures of all galaxies, the panel of one galaxy.
psf_page
    `write_psf_page`: the stars of an image and the PSF that was made from them.
injections
    Completeness, bias and errors of galaxies that were injected into an image.
profiles
    Surface brightness against radius, of galaxies of several parts.
pictures
    Image, model and residual of each galaxy as a small PNG.
png
    Images as text of the page.
static
    The JavaScript of the page.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "write_psf_page": "psf_page",
    "write_report": "write",
}

__all__ = [
    "write_psf_page",
    "write_report",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, extra="report", needs="bokeh")
