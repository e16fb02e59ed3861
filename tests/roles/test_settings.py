"""Arguments over environment over role.toml; what is wrong is named, what is secret is not."""

from __future__ import annotations

import pytest

from assay.errors import ConfigError
from assay.roles.settings import RoleSettings, read_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in RoleSettings.model_fields:
        monkeypatch.delenv(f"ASSAY_{name.upper()}", raising=False)


def test_the_defaults(tmp_path):
    found = read_settings(folder=tmp_path / "solver-1")
    assert (found.threads, found.port, found.rate, found.rpc, found.cheat) == (1, 0, 1_000_000, None, None)
    assert found.passphrase is None
    assert found.network_file == tmp_path / "network.json"
    assert read_settings(folder=tmp_path, network=tmp_path / "x.json").network_file == tmp_path / "x.json"


def test_argument_over_environment_over_file(tmp_path, monkeypatch):
    (tmp_path / "role.toml").write_text("threads = 2\nrate = 20\nport = 2222\n")
    assert read_settings(folder=tmp_path).threads == 2
    monkeypatch.setenv("ASSAY_THREADS", "3")
    monkeypatch.setenv("ASSAY_RATE", "30")
    found = read_settings(folder=tmp_path, threads=4, rate=None)
    assert (found.threads, found.rate, found.port) == (4, 30, 2222)


def test_another_folders_file_is_not_read(tmp_path):
    (tmp_path / "role.toml").write_text("threads = 2\n")
    assert read_settings(folder=tmp_path / "other").threads == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("thraeds = 2", "thraeds"),
        ('threads = "many"', "threads"),
        ("threads = 0", "threads"),
        ("rate = 0", "rate"),
        ("port = 65536", "port"),
        ("port = -1", "port"),
        ("poll = -1.0", "poll"),
        ("poll = nan", "poll"),
        ("threads = = 2", "role.toml"),
        ("[section]\nthreads = 2", "section"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path, text, told):
    (tmp_path / "role.toml").write_text(text)
    with pytest.raises(ConfigError, match=told) as caught:
        read_settings(folder=tmp_path)
    assert caught.value.exit_code == 2


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "role.toml").write_bytes(b"rpc = '\xff'")
    with pytest.raises(ConfigError):
        read_settings(folder=tmp_path)


def test_what_is_wrong_in_the_environment_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_THREADS", "many")
    with pytest.raises(ConfigError, match="threads"):
        read_settings(folder=tmp_path)


def test_unknown_arguments_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="colour"):
        read_settings(folder=tmp_path, colour="red")
    with pytest.raises(ConfigError, match="folder"):
        read_settings()


def test_a_passphrase_is_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_PASSPHRASE", "correct horse")
    found = read_settings(folder=tmp_path)
    assert found.passphrase.get_secret_value() == "correct horse"
    assert "correct horse" not in repr(found) + str(found) + found.model_dump_json()
    monkeypatch.delenv("ASSAY_PASSPHRASE")
    (tmp_path / "role.toml").write_text("passphrase = 8675309\n")
    with pytest.raises(ConfigError, match="passphrase") as caught:
        read_settings(folder=tmp_path)
    assert "8675309" not in caught.value.message + str(caught.value.evidence)
