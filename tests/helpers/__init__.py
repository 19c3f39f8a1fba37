"""Galaxies, images and networks that tests share."""
