"""A role's key: an encrypted keystore, and its passphrase in a private file where no better place is given."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from assay.chain import Key, create, unlock
from assay.errors import ConfigError, NotFoundError, UsageError

__all__ = ["open_key", "passphrase"]


def passphrase(home: Path) -> str:
    """The passphrase in `home`, made on first use, in a file that only the owner can read.

    Raises ConfigError if there is a key already, whose passphrase then is another one.
    """
    path, key = home / "passphrase", home / "key.json"
    home.mkdir(parents=True, exist_ok=True)
    key_is_there = key.exists()  # asked first: another process may be making both, the passphrase before the key
    if not path.exists():
        if key_is_there:
            hint = f"Set ASSAY_PASSPHRASE, or put the passphrase back into {path}."
            raise ConfigError(f"The passphrase of {key} is not known.", hint=hint, path=str(path))
        made = home / f".passphrase.{secrets.token_hex(4)}"
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(24))
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: of two processes the first one's passphrase stays, and both go on with it.
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_text()


def open_key(home: Path, secret: str | None = None) -> Key:
    """The key in `home`, made on first use. Without a `secret` its passphrase lies beside it, as on a local network."""
    path = home / "key.json"
    with contextlib.suppress(NotFoundError):
        return unlock(path, secret or passphrase(home))
    try:
        return create(path, secret or passphrase(home), fast=secret is None)
    except UsageError:
        if not path.exists():
            raise
        return unlock(path, secret or passphrase(home))  # another process was faster
