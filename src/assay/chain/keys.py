"""Keys: one encrypted file each (Web3 Secret Storage, version 3), mode 0600, in a folder of mode 0700.

A key of value is sealed with scrypt, which takes about a second to open, on purpose. A devnet's keys, whose
passphrase lies beside them, use a few rounds of PBKDF2, so that a role starts at once.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import secrets
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, NotFoundError, UsageError

__all__ = ["Key", "create", "passphrase", "unlock"]

_FAST_ROUNDS = 1000


class Key:
    """A private key that signs. It never shows itself in a repr, a pickle or a log."""

    __slots__ = ("_account", "address")

    def __init__(self, private: bytes) -> None:
        from eth_account import Account  # 0.6 s

        self._account = Account.from_key(private)
        self.address: str = self._account.address

    def sign(self, transaction: Mapping[str, Any]) -> tuple[bytes, str]:
        """The signed bytes of a transaction, and its hash as 0x-hex."""
        signed = self._account.sign_transaction(dict(transaction))
        return bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex()

    def __repr__(self) -> str:
        return f"Key({self.address})"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not pickled")


def create(path: Path, passphrase: str, *, fast: bool = False) -> Key:
    """Make a key and write it to `path`, which must not exist. `fast` is for a devnet's throw-away keys."""
    from eth_account import Account

    if not passphrase:
        raise UsageError("a key needs a passphrase", path=str(path))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = secrets.token_bytes(32)
    rounds = {"kdf": "pbkdf2", "iterations": _FAST_ROUNDS} if fast else {"kdf": "scrypt"}
    _write_new(path, json.dumps(Account.encrypt(private, passphrase, **rounds)).encode())
    return Key(private)


def _write_new(path: Path, content: bytes) -> None:
    """Write all of a private file or nothing, and never over another."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already; a key is never overwritten", path=str(path)) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def unlock(path: Path, passphrase: str) -> Key:
    """Open the key at `path`. Raises NotFoundError, or ConfigError if the passphrase or the file is wrong."""
    from eth_account import Account

    try:
        sealed = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(f"no key at {path}", path=str(path)) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not a keystore", path=str(path)) from error
    try:
        return Key(bytes(Account.decrypt(sealed, passphrase)))
    except ValueError as error:
        if "MAC" in str(error):
            hint = "Set ASSAY_PASSPHRASE, or name a file that holds the passphrase."
            raise ConfigError(f"wrong passphrase for {path}", hint=hint, path=str(path)) from None
        raise ConfigError(f"{path} is not a keystore", path=str(path)) from None
    except (KeyError, TypeError, AttributeError, NotImplementedError):
        raise ConfigError(f"{path} is not a keystore", path=str(path)) from None


def passphrase(file: Path | None = None, *, ask: bool = True) -> str:
    """The passphrase: ASSAY_PASSPHRASE, else the first line of `file`, else what the user types.

    The file must be readable by its owner only. With `ask` false, or without a terminal, nobody is asked.
    """
    given = os.environ.get("ASSAY_PASSPHRASE")
    if given:
        return given
    if file is not None:
        return _from_file(file)
    if ask and sys.stdin.isatty():
        return getpass.getpass("Passphrase: ")
    hint = "Set ASSAY_PASSPHRASE, or name a file that holds it."
    raise ConfigError("no passphrase was given and nobody can be asked", hint=hint)


def _from_file(file: Path) -> str:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            hint = f"chmod 600 {file}"
            raise ConfigError(f"{file} can be read by others (mode {mode:04o})", hint=hint, path=str(file))
        found = file.read_text().partition("\n")[0].rstrip("\r")
    except FileNotFoundError as error:
        raise NotFoundError(f"no passphrase file at {file}", path=str(file)) from error
    if not found:
        raise ConfigError(f"{file} is empty", path=str(file))
    return found
