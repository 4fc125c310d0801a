"""What the console takes from the environment, and what it hands on to the processes it starts."""

import os
from collections.abc import Mapping
from pathlib import Path

from services.runtime.config import CONFIG_VARIABLE, ENVIRONMENT_PREFIX, Settings

Overrides = Mapping[tuple[str, str], object]
"""Values of (section, key) that stand above the settings file."""


def variable(section: str, key: str) -> str:
    """Return the environment variable of a setting, such as `SWITCHBOARD_GATEWAY__PORT`."""
    return f"{ENVIRONMENT_PREFIX}{section}__{key}".upper()


def overridden(settings: Settings, overrides: Overrides) -> Settings:
    """Return the settings as the started processes will read them."""
    changed = {section: getattr(settings, section) for section, _ in overrides}
    for (section, key), value in overrides.items():
        changed[section] = changed[section].model_copy(update={key: value})
    return settings.model_copy(update=changed)


def child_environment(path: Path, overrides: Overrides) -> dict[str, str]:
    """Return the whole environment of a started process: ours, the settings file, the overrides."""
    inherited = dict(os.environ)  # noqa: TID251 - the children inherit it whole
    return {
        "PYTHONUNBUFFERED": "1",  # or lines would come late through a pipe
        **inherited,
        CONFIG_VARIABLE: str(path),
        **{variable(*name): str(value) for name, value in overrides.items()},
    }
