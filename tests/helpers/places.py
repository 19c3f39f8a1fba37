"""Folders that tests look for."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
