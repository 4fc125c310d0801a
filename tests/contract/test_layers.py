"""Who may import whom: the contracts in pyproject.toml, and no module that nobody needs."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
PACKAGES = ("services", "gateway", "console", "models", "switchboard")


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def test_every_import_contract_is_kept():
    lint = Path(sys.executable).with_name("lint-imports")

    ended = subprocess.run(
        [lint, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
    assert " 0 broken." in ended.stdout


def test_every_module_of_the_runtime_has_a_user(graph):
    runtime = graph.find_children("services.runtime")

    unused = [name for name in runtime if not graph.find_modules_that_directly_import(name)]

    assert len(runtime) > 10
    assert unused == []
