"""The life of a service's process: settings, logs, metrics, server, models, until SIGTERM."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

from services.runtime import config, telemetry
from services.runtime.config import ServiceSettings, Settings
from services.runtime.inspection import inspection_door
from services.runtime.loading import Loader
from services.runtime.registry import ModelSettingsT, Registry, ServedT
from services.runtime.server import Door, create_server, serve

log = structlog.get_logger()

SectionT = TypeVar("SectionT", bound=ServiceSettings)

SETTINGS_ARE_WRONG = 2
"""Exit status of a process whose settings have to be mended first: starting it again is no use."""
CANNOT_START = 1


def main(
    name: str,
    section: type[SectionT],
    run: Callable[[Settings, SectionT], Coroutine[Any, Any, None]],
) -> int:
    """Run a service until it is told to stop, and return the exit status.

    Args:
        name: Its table in the settings and its name in the logs.
        section: The schema of that table.
        run: Serves, with the whole settings and its own table.
    """
    try:
        mesh, settings = config.load_service(name, section)
    except config.ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs are configured by what could not be read
        return SETTINGS_ARE_WRONG
    telemetry.configure_logs(mesh.log, name)
    try:
        telemetry.serve_metrics(settings.host, settings.metrics_port)
        asyncio.Runner().run(run(mesh, settings))
    except config.ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as above
        return SETTINGS_ARE_WRONG
    except OSError as error:
        log.error("cannot start", problem=str(error))  # noqa: TRY400
        return CANNOT_START
    # A thread that still loads a model or runs an engine would hold up the exit by minutes, and
    # nobody waits for what it does any more.
    sys.stdout.flush()
    os._exit(0)


async def serve_models(
    models: Registry[ModelSettingsT, ServedT],
    load: Callable[[ModelSettingsT], ServedT],
    doors: Sequence[Door],
    settings: ServiceSettings,
    estimate: Callable[[ModelSettingsT], int] | None = None,
) -> None:
    """Serve a family until SIGTERM: answers from the start, ready as soon as one model is.

    Args:
        models: The family's models, not loaded yet.
        load: Loads one of them; called in a thread.
        doors: The family's gRPC services.
        settings: Address, limits, drain times.
        estimate: Returns what a model is going to hold, in bytes; called in a thread.

    Raises:
        OSError: The port is taken.
    """
    server, port = create_server(settings, [*doors, inspection_door(models)])
    await server.start()
    log.info("listening", host=settings.host, port=port)

    async def show_readiness() -> None:
        await server.set_ready(models.is_ready())

    async with asyncio.TaskGroup() as tasks:
        loading = tasks.create_task(Loader(models, load, estimate).run(show_readiness))
        await serve(server, settings, is_alive=models.is_alive)
        loading.cancel()
