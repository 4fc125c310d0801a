"""The `switchboard` command: its words and options, and how it fails."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Literal

import typer

from console.supervision.program import SETTINGS_ERROR
from services.runtime.config import ConfigError, config_path

app = typer.Typer(
    help="One number for every model: an OpenAI-compatible inference mesh.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="The models of the mesh.", no_args_is_help=True)
app.add_typer(models, name="models")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="The settings file; without it switchboard.toml here.", metavar="PATH"
    ),
]

ModelArgument = Annotated[
    str, typer.Argument(help="The model's id or an alias.", metavar="MODEL", show_default=False)
]


def main() -> None:
    """Run the command; wrong settings end it with status 2 and no traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except ConfigError as error:
        typer.echo(f"switchboard: {error}", err=True)
        sys.exit(SETTINGS_ERROR)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"switchboard {installed_version('switchboard-mesh')}")
        raise typer.Exit


@app.callback()
def switchboard(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and end.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    """Take the options that stand before any command."""


@app.command()
def up(config: ConfigOption = None) -> None:
    """Start the whole mesh on this machine; Ctrl-C ends it."""
    from console import up as local  # noqa: PLC0415 - a command loads what it needs

    try:
        clean = local.run(_path(config))
    except local.UnfitError as error:
        typer.echo(f"switchboard: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if clean else 1)


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """Look at everything that the mesh needs here; say what is missing and what to do."""
    from console import doctor as examination  # noqa: PLC0415 - a command loads what it needs

    raise typer.Exit(0 if examination.run(_path(config)) else 1)


@models.command("list")
def list_models(
    config: ConfigOption = None,
    url: Annotated[
        str | None,
        typer.Option(help="The gateway; without it that of the settings.", metavar="URL"),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write a JSON list for scripts.")] = False,
) -> None:
    """List the models and how they are; without a running mesh, those of the settings."""
    from console import listing  # noqa: PLC0415 - a command loads what it needs

    raise typer.Exit(0 if listing.run(_path(config), url, as_json=as_json) else 1)


@models.command("load")
def load_model(model: ModelArgument, config: ConfigOption = None) -> None:
    """Load a model into a running mesh, and wait until it is ready; others may make room for it."""
    _order("load", model, config)


@models.command("unload")
def unload_model(model: ModelArgument, config: ConfigOption = None) -> None:
    """Unload a model of a running mesh, and wait until the calls that it works for have ended.

    It stays out until it is loaded by hand, or where the settings say `load = "demand"`, until
    somebody asks for it.
    """
    _order("unload", model, config)


def _order(order: Literal["load", "unload"], model: str, config: Path | None) -> None:
    from console import loading  # noqa: PLC0415 - a command loads what it needs
    from console.service import OrderError  # noqa: PLC0415 - as above

    try:
        is_done = loading.run(_path(config), model, order)
    except OrderError as error:
        typer.echo(f"switchboard: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if is_done else 1)


def _path(config: Path | None) -> Path:
    return config.absolute() if config else config_path()


if __name__ == "__main__":
    main()
