"""The settings of a role: arguments over ASSAY_* environment variables over `role.toml` in its folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from assay.economics import DOUBT
from assay.errors import ConfigError

__all__ = ["RoleSettings", "read_settings"]


class RoleSettings(BaseSettings):
    """How one role runs. Amounts are in the currency's smallest unit, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", extra="forbid")

    folder: Path
    network: Path | None = None
    """Where `network.json` is; by default beside the role's folder."""
    rpc: str | None = None
    """Another RPC endpoint than the network's own."""
    port: int = Field(0, ge=0, le=65535)
    threads: int = Field(1, ge=1)
    rate: int = Field(1_000_000, ge=1)
    """What a solver asks per tera-operation."""
    poll: float = Field(0.15, gt=0, allow_inf_nan=False)
    passphrase: SecretStr | None = None
    """Of the keystore; by default the file `passphrase` in the folder, made on first use."""
    only: str | None = None
    """Takes part in tasks of this name only."""
    cheat: str | None = None
    """How this role is dishonest (`assay.roles.cheats`); for demonstrations and attacks."""
    manner: str | None = None
    """How a dishonest solver behaves when it has to answer in a dispute: answer, concede, late, or silent:NUMBER."""
    accomplice: Path | None = None
    """The folder of the solver that a colluding verifier belongs to."""
    share: int = Field(25, ge=1, le=100)
    """Percent of all tasks that a whistleblower patrols."""
    replays: int = Field(240, ge=0)
    """Intervals that it replays in an hour at most."""
    others: int = Field(16, ge=0)
    """Whistleblowers beside whom it joins at most, however much there is to find."""
    doubt: int = Field(DOUBT // 10_000, ge=0, le=100)
    """Percent of results that it takes to be wrong before it has seen any."""

    @property
    def network_file(self) -> Path:
        """The description of the network that this role belongs to."""
        return self.network or self.folder.parent / "network.json"

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        **sources: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the folder's file."""
        given = getattr(init_settings, "init_kwargs", {})
        toml = TomlConfigSettingsSource(settings_cls, Path(given.get("folder", ".")) / "role.toml")
        return init_settings, sources["env_settings"], toml


def read_settings(**given: object) -> RoleSettings:
    """The settings, with None meaning "not given". Raises ConfigError naming what is wrong."""
    try:
        return RoleSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as reason:
        # Without the values: one of them may be a passphrase.
        found = [(".".join(map(str, each["loc"])), each["msg"]) for each in reason.errors(include_input=False)]
        raise ConfigError("The settings are not valid: " + "; ".join(f"{name}: {why}" for name, why in found)) from None
    except ValueError as reason:
        raise ConfigError(f"{given.get('folder')}/role.toml can't be read: {reason}") from reason
