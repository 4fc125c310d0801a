"""What models can run on here."""

import shutil
import subprocess

from console.doctor.finding import Finding, Verdict
from services.runtime.onnx import available_providers, cuda_problem, runtime_version

TIMEOUT_S = 10.0


def onnx_runtime() -> Finding:
    """Tell the version of ONNX Runtime, and what it runs graphs on."""
    detail = f"{runtime_version()}, runs on {' and '.join(available_providers())}"
    return Finding("ONNX Runtime", Verdict.OK, detail)


def gpu() -> Finding:
    """Tell which GPUs there are, and why models do not run on them if they do not."""
    names = _names()
    problem = cuda_problem()
    if problem is None:
        return Finding("GPU", Verdict.OK, names or "CUDA finds a device")
    if names:
        remedy = "look at the driver; the CUDA libraries: pip install 'switchboard-mesh[cuda]'"
        return Finding("GPU", Verdict.ABSENT, f"{names}, but {problem}", remedy)
    return Finding("GPU", Verdict.ABSENT, f"{problem}; models run on the CPU")


def _names() -> str:
    """Return the GPUs that nvidia-smi lists, or nothing."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - the driver's own program
            [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(done.stdout.splitlines())
