"""Whole HTTP exchanges through a real Envoy, held against what was recorded.

One file an exchange, `tests/golden/<api>-<case>.json`; `make golden` rewrites the answers. Numbers
of vectors may differ by 1e-4 (another processor adds in another order), all else is exact.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.mesh import Answer, Mesh, running_mesh
from tests.models.encoder import write_encoder

GOLDEN = Path(__file__).parents[1] / "golden"
HEADERS = ("content-type", "allow", "retry-after", "x-should-retry")
"""The headers that are part of the contract, beside those that differ each time."""


@pytest.fixture(scope="module")
def tiny_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("golden")
    good, broken = folder / "good", folder / "broken"
    prompts = {"query": "find ", "document": ""}
    write_encoder(good, prompts=prompts)
    write_encoder(broken)
    (broken / "tokenizer.json").unlink()
    models = (
        f'[[embeddings.models]]\nid = "org/tiny"\nfolder = "{good}"\naliases = ["tiny"]\n'
        f'[[embeddings.models]]\nid = "broken"\nfolder = "{broken}"\n'
    )
    with running_mesh(folder, models) as mesh:
        yield mesh


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_the_exchange_is_as_recorded(
    tiny_mesh: Mesh, path: Path, pytestconfig: pytest.Config
) -> None:
    exchange = json.loads(path.read_text())
    request = exchange["request"]

    answer = tiny_mesh.ask(
        request["method"],
        request["path"],
        _body(request),
        request.get("headers", {"content-type": "application/json"}),
    )

    told = _told(answer)
    if pytestconfig.getoption("--rewrite-golden", default=False):
        path.write_text(json.dumps({"request": request, "response": told}, indent=2) + "\n")
    _assert_alike(told, json.loads(path.read_text())["response"])


def test_there_are_recorded_exchanges() -> None:
    assert len(list(GOLDEN.glob("embeddings-*.json"))) >= 10


def _body(request: dict[str, Any]) -> bytes | None:
    if "text" in request:
        return str(request["text"]).encode()
    return json.dumps(request["json"]).encode() if "json" in request else None


def _told(answer: Answer) -> dict[str, Any]:
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    return {"status": answer.status, "headers": headers, "json": _stable(answer.json)}


def _stable(value: Any) -> Any:
    """The answer without what differs on every machine."""
    if isinstance(value, dict):
        return {
            key: 0 if key == "created" else "…" if key == "state_detail" and each else _stable(each)
            for key, each in value.items()
        }
    return [_stable(each) for each in value] if isinstance(value, list) else value


def _assert_alike(told: Any, recorded: Any) -> None:
    """Equal, key order included; vectors to 1e-4."""
    if isinstance(recorded, dict):
        assert isinstance(told, dict)
        assert list(told) == list(recorded)
        for key, value in recorded.items():
            if key == "embedding":
                np.testing.assert_allclose(_vector(told[key]), _vector(value), atol=1e-4)
            else:
                _assert_alike(told[key], value)
    elif isinstance(recorded, list):
        assert isinstance(told, list)
        assert len(told) == len(recorded)
        for one, other in zip(told, recorded, strict=True):
            _assert_alike(one, other)
    else:
        assert told == recorded


def _vector(value: str | list[float]) -> Any:
    return np.frombuffer(base64.b64decode(value), "<f4") if isinstance(value, str) else value
