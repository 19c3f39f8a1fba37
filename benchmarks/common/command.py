"""What the command lines of benchmarks have in common."""

import argparse
from pathlib import Path

__all__ = ["add_weights", "parser_of"]


def parser_of(doc, *inputs):
    """A parser that takes folders to read, by name, and ``output``, where tables are written."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    for name in (*inputs, "output"):
        parser.add_argument(name, type=Path)
    return parser


def add_weights(parser):
    """Which network is measured."""
    parser.add_argument("--weights", default="universal", help="shipped weights, or a file")
