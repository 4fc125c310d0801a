"""Settings: `switchboard.toml` with environment variables on top, read once, frozen.

`SWITCHBOARD_CONFIG` names the file (default: `switchboard.toml` in the working directory);
`SWITCHBOARD_EMBEDDINGS__PORT=50054` overrides one value. A bad value stops the start and names
itself.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

FAMILIES = ("chat", "images", "audio", "embeddings")
"""The endpoint families, each a service of its own."""

ENVIRONMENT_PREFIX = "SWITCHBOARD_"
CONFIG_VARIABLE = "SWITCHBOARD_CONFIG"

Port = int

SectionT = TypeVar("SectionT", bound="ServiceSettings")
SettingsT = TypeVar("SettingsT", bound="Settings")


class ConfigError(Exception):
    """The settings cannot be used; the message names the value and where it stands."""


class Section(BaseModel):
    """A table of the settings file; a key that it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LogSettings(Section):
    """How every process logs."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are written."""
    format: Literal["json", "console"] = "json"
    """One JSON object a line, or lines for a terminal."""


class ModelSettings(Section):
    """A model of a service, as every part of the mesh sees it."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=200)
    """The name that requests send as `model`; may contain slashes."""
    folder: Path
    """The model folder, absolute or relative to the settings file."""
    aliases: tuple[str, ...] = ()
    """Other names for the same model."""
    owned_by: str = "switchboard"
    """Shown in `GET /v1/models`."""
    load: Literal["start", "demand"] = "start"
    """When it is loaded: with its service, or when somebody asks for it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The id and the aliases."""
        return (self.id, *self.aliases)


class ServiceSettings(Section):
    """A gRPC service of the mesh, as every part of the mesh sees it."""

    # A service reads its own table with a stricter class; the others look past its keys.
    model_config = ConfigDict(extra="ignore")

    enabled: bool = True
    """Whether `switchboard up` starts it and the gateway routes to it."""
    host: str = "127.0.0.1"
    """Where the service listens, and where the others find it."""
    port: Port = Field(default=0, ge=0, le=65535)
    """gRPC port; 0 takes a free one (for tests)."""
    metrics_port: Port = Field(default=0, ge=0, le=65535)
    """Prometheus port on the same host; 0 serves no metrics."""
    max_concurrent_rpcs: int = Field(default=4096, ge=1)
    """Calls held at once, running and waiting: the last guard behind the bounded queues."""
    max_message_bytes: int = Field(default=64 * 2**20, ge=2**16)
    """Largest message taken or sent, in bytes."""
    drain_delay_s: float = Field(default=3.0, ge=0.0)
    """After SIGTERM, how long calls are still taken while the gateway notices: two of its health
    intervals and a little; 10 in Kubernetes. It is cut short once nobody calls any more."""
    drain_grace_s: float = Field(default=30.0, ge=0.0)
    """After that, how long calls in flight may take to finish."""
    models: tuple[ModelSettings, ...] = ()
    """The models that it serves."""
    memory_bytes: int | None = Field(default=None, ge=1)
    """What the loaded models may hold together, weights and caches, in bytes; beyond that the one
    that was used longest ago makes room. Unset: no bound."""


class CorsSettings(Section):
    """Which web pages may call the gateway from a browser."""

    allow_origins: tuple[str, ...] = ("*",)
    """Origins such as `https://app.example.com`; `*` allows every one; empty allows none."""


class GatewaySettings(Section):
    """The Envoy gateway."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` for every one."""
    port: Port = Field(default=8080, ge=0, le=65535)
    """REST and gRPC, both on this port."""
    admin_port: Port = Field(default=9901, ge=0, le=65535)
    """Envoy's own interface, on loopback only."""
    max_body_bytes: int = Field(default=16 * 2**20, ge=2**10)
    """Largest JSON body, in bytes; a larger one is a 413."""
    stream_idle_timeout_s: float = Field(default=300.0, gt=0.0)
    """A call is cut after so long a silence in both directions."""
    max_connections: int = Field(default=10_000, ge=1)
    """Client connections held at once."""
    max_requests: int = Field(default=4096, ge=1)
    """Calls in flight to one service; more are a 503."""
    health_interval_s: float = Field(default=1.0, ge=0.1)
    """How often each service is asked how it is."""
    cors: CorsSettings = CorsSettings()
    """Cross-origin calls."""


class FrontDeskSettings(ServiceSettings):
    """The front desk: the directory of models and endpoints."""

    model_config = ConfigDict(extra="forbid")

    port: Port = Field(default=50050, ge=0, le=65535)
    metrics_port: Port = Field(default=9100, ge=0, le=65535)
    status_timeout_s: float = Field(default=0.5, gt=0.0)
    """How long a service may take to say how its models are before it counts as unavailable."""


class Settings(BaseSettings):
    """The whole settings file."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        use_attribute_docstrings=True,
    )

    log: LogSettings = LogSettings()
    """Logging, the same for every process."""
    gateway: GatewaySettings = GatewaySettings()
    """The Envoy gateway."""
    frontdesk: FrontDeskSettings = FrontDeskSettings()
    """The front desk."""
    chat: ServiceSettings | None = None
    """Chat completions; a missing table means that the mesh has no such service."""
    images: ServiceSettings | None = None
    """Images."""
    audio: ServiceSettings | None = None
    """Speech and transcription."""
    embeddings: ServiceSettings | None = None
    """Embeddings."""

    @property
    def services(self) -> dict[str, ServiceSettings]:
        """The enabled families by name, in a fixed order."""
        sections = {family: getattr(self, family) for family in FAMILIES}
        return {name: section for name, section in sections.items() if section and section.enabled}

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Settings":
        owners: dict[str, str] = {}
        for family, section in self.services.items():
            for model in section.models:
                for name in model.names:
                    if name in owners:
                        raise ValueError(
                            f"{family}.models: the name '{name}' is taken by {owners[name]}"
                        )
                    owners[name] = f"{family} model '{model.id}'"
        return self

    @model_validator(mode="after")
    def _bodies_fit_messages(self) -> "Settings":
        largest = self.gateway.max_body_bytes
        for family, section in self.services.items():
            if section.max_message_bytes < largest:
                raise ValueError(
                    f"{family}.max_message_bytes ({section.max_message_bytes}) should be at least"
                    f" gateway.max_body_bytes ({largest}), or large bodies are refused twice over"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment above the file, whose content comes as initial values."""
        return env_settings, init_settings


def config_path() -> Path:
    """Return the path of the settings file, from the environment or the working directory."""
    return Path(os.environ.get(CONFIG_VARIABLE) or "switchboard.toml").absolute()


def load(path: Path | None = None) -> Settings:
    """Read the settings as the gateway and the console see them.

    Raises:
        ConfigError: The file or a variable is missing or wrong; the message names it.
    """
    return _load(Settings, path or config_path())


def load_service(
    family: str, section: type[SectionT], path: Path | None = None
) -> tuple[Settings, SectionT]:
    """Read the settings as one service sees them: its own table strictly, the others loosely.

    Raises:
        ConfigError: The file or a variable is missing or wrong; the message names it.
    """
    path = path or config_path()
    is_optional = isinstance(Settings.model_fields[family].default, ServiceSettings)
    own_table: Any = {family: (section, section() if is_optional else ...)}
    schema = create_model(f"{family.title()}Settings", __base__=Settings, **own_table)
    settings = _load(schema, path)
    own: SectionT = getattr(settings, family)
    return settings, own


def _load(schema: type[SettingsT], path: Path) -> SettingsT:
    values = _read_toml(path)
    _check_variables(schema)
    try:
        settings = schema(**_with_absolute_folders(values, path.parent))
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from None
    except ValueError as error:  # pydantic-settings: a variable that should hold JSON does not
        names = ", ".join(sorted(_variables()))
        raise ConfigError(f"environment: {error}; is the JSON right in {names}?") from None
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file; name the settings file in {CONFIG_VARIABLE}"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _check_variables(schema: type[Settings]) -> None:
    """Refuse a misspelt section; pydantic-settings would pass over it."""
    for upper, variable in _variables().items():
        section = upper.removeprefix(ENVIRONMENT_PREFIX).split("__")[0].lower()
        if section not in schema.model_fields:
            known = ", ".join(schema.model_fields)
            raise ConfigError(f"environment: {variable}: no section '{section}'; there are {known}")


def _variables() -> dict[str, str]:
    """Return the names of the variables that hold settings, by their names in capitals."""
    names = {name.upper(): name for name in os.environ}
    return {
        upper: name
        for upper, name in names.items()
        if upper.startswith(ENVIRONMENT_PREFIX) and upper != CONFIG_VARIABLE
    }


def _with_absolute_folders(values: dict[str, Any], base: Path) -> dict[str, Any]:
    """Make the file's model folders absolute: the working directory should not matter."""
    for section in values.values():
        models = section.get("models") if isinstance(section, dict) else None
        for model in models if isinstance(models, list) else ():
            if isinstance(model, dict) and isinstance(model.get("folder"), str):
                model["folder"] = base / model["folder"]
    return values


def _explain(error: ValidationError, path: Path) -> str:
    lines = []
    for problem in error.errors():
        told = problem["msg"].removeprefix("Value error, ")
        if problem["type"] not in {"missing", "value_error"}:
            told += f" (given: {problem['input']!r:.100})"
        lines.append(": ".join((*_source(problem["loc"], path), told)))
    return "\n".join(lines)


def _source(place: tuple[int | str, ...], path: Path) -> tuple[str, ...]:
    """Return where a value was set: the variable that holds it or its table, else the file."""
    parts = [str(part) for part in place]
    variables = _variables()
    for length in range(len(parts), 0, -1):
        variable = variables.get((ENVIRONMENT_PREFIX + "__".join(parts[:length])).upper())
        if variable is not None:
            return ("environment", ".".join((variable, *parts[length:])))
    return (str(path), ".".join(parts)) if parts else (str(path),)
