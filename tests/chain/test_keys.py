"""Keystores: sealed, private, never overwritten, never shown."""

from __future__ import annotations

import io
import json
import pickle
import stat
import time
from pathlib import Path

import pytest
from eth_account import Account

from assay.chain import Key, create, passphrase, unlock
from assay.errors import ConfigError, NotFoundError, UsageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "one.json"


def test_a_key_of_value_is_sealed_with_scrypt(path: Path) -> None:
    made = create(path, "correct horse")
    sealed = json.loads(path.read_text())["crypto"]
    assert (sealed["kdf"], sealed["kdfparams"]["n"]) == ("scrypt", 2**18)
    assert unlock(path, "correct horse").address == made.address


def test_a_key_comes_back_with_its_passphrase_alone(path: Path) -> None:
    made = create(path, "correct horse", fast=True)
    assert json.loads(path.read_text())["crypto"]["kdf"] == "pbkdf2"
    assert unlock(path, "correct horse").address == made.address
    with pytest.raises(ConfigError, match="wrong passphrase") as caught:
        unlock(path, "correct horsf")
    assert "horse" not in str(caught.value.as_dict())
    assert Account.decrypt(path.read_text(), "correct horse") == bytes(made._account.key)  # what other tools expect


def test_a_devnet_key_opens_at_once(path: Path) -> None:
    create(path, "x", fast=True)
    started = time.process_time()
    unlock(path, "x")
    assert time.process_time() - started < 1.5


def test_only_the_owner_can_read(path: Path) -> None:
    create(path, "x", fast=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["one.json"]


def test_a_key_is_never_overwritten(path: Path) -> None:
    made = create(path, "x", fast=True)
    with pytest.raises(UsageError, match="exists already"):
        create(path, "x", fast=True)
    assert unlock(path, "x").address == made.address
    assert len(list(path.parent.iterdir())) == 1


def test_a_key_needs_a_passphrase(path: Path) -> None:
    with pytest.raises(UsageError, match="passphrase"):
        create(path, "")
    assert not path.exists()


def test_no_secret_is_shown() -> None:
    key = Key(b"\x17" * 32)
    assert repr(key) == str(key) == f"Key({key.address})"
    assert not hasattr(key, "__dict__")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": 3}', '{"version": 9, "crypto": {}}', "1"])
def test_what_is_no_keystore_is_named(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ConfigError, match="not a keystore"):
        unlock(path, "x")


def test_a_missing_key_is_not_found(path: Path) -> None:
    with pytest.raises(NotFoundError):
        unlock(path, "x")


def test_the_passphrase_comes_from_the_environment_or_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASSAY_PASSPHRASE", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    file = tmp_path / "passphrase"
    with pytest.raises(NotFoundError):
        passphrase(file)
    file.write_text("from a file\n")
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="can be read by others"):
        passphrase(file)
    file.chmod(0o600)
    assert passphrase(file) == "from a file"
    monkeypatch.setenv("ASSAY_PASSPHRASE", "from the environment")
    assert passphrase(file) == "from the environment"
    monkeypatch.delenv("ASSAY_PASSPHRASE")
    with pytest.raises(ConfigError, match="nobody can be asked"):
        passphrase()
    file.write_text("")
    with pytest.raises(ConfigError, match="empty"):
        passphrase(file)
