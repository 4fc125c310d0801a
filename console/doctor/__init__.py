"""`switchboard doctor`: looks at all that the mesh needs on this machine; changes nothing."""

import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from console.doctor.compute import gpu, onnx_runtime
from console.doctor.envoy import bootstrap, envoy_binary
from console.doctor.finding import Finding, Verdict, findings_table
from console.doctor.folders import model_folders
from console.doctor.listeners import listeners
from console.screen import Screen
from gateway.binary import find_envoy
from services.runtime.config import ConfigError, Settings, load

__all__ = ["run"]


def run(path: Path) -> bool:
    """Look at everything and show it; return whether nothing that is needed is missing."""
    findings = list(_findings(path))
    typer.echo(Screen(sys.stdout).draw(findings_table(findings)), nl=False)
    return all(finding.verdict is not Verdict.MISSING for finding in findings)


def _findings(path: Path) -> Iterator[Finding]:
    settings, finding = _settings(path)
    yield finding
    binary = find_envoy()
    yield envoy_binary(binary)
    if settings and binary:
        yield bootstrap(settings, binary)
    yield onnx_runtime()
    yield gpu()
    if settings:
        yield from listeners(settings)
        yield from model_folders(settings)


def _settings(path: Path) -> tuple[Settings | None, Finding]:
    try:
        settings = load(path)
    except ConfigError as error:
        return None, Finding("settings", Verdict.MISSING, str(error), "mend it, and ask again")
    families = ", ".join(settings.services) or "no service"
    return settings, Finding("settings", Verdict.OK, f"{path}: {families}")
