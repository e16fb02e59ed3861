"""Where things are kept: one folder per role, under one home."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["default_devnet", "default_home"]


def default_home() -> Path:
    """ASSAY_HOME, or the platform's folder for application data."""
    return Path(os.environ.get("ASSAY_HOME") or platformdirs.user_data_dir("assay")).expanduser()


def default_devnet() -> Path:
    """The folder of the local network."""
    return default_home() / "devnet"
