"""A role's key: an encrypted keystore, and its passphrase in a private file where no better place is given."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from assay.chain import Key, create, unlock
from assay.errors import NotFoundError

__all__ = ["open_key", "passphrase"]


def passphrase(home: Path) -> str:
    """The passphrase in `home`, made on first use, in a file that only the owner can read."""
    path = home / "passphrase"
    home.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        made = home / f".passphrase.{os.getpid()}"
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(24))
            file.flush()
            os.fsync(file.fileno())
        made.rename(path)
    return path.read_text()


def open_key(home: Path, secret: str | None = None) -> Key:
    """The key in `home`, made on first use. Without a `secret` its passphrase lies beside it, as on a local network."""
    path = home / "key.json"
    with contextlib.suppress(NotFoundError):
        return unlock(path, secret or passphrase(home))
    return create(path, secret or passphrase(home), fast=secret is None)
