"""Simulated galaxies, PSFs, contaminants and fields that benchmarks measure."""
