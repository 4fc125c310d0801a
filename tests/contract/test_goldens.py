"""Whole HTTP exchanges through a real Envoy, held against what was recorded.

One file an exchange, `tests/golden/<api>-<case>.json`; `make golden` rewrites the answers. Numbers
of vectors and log probabilities may differ by 1e-4 (another processor adds in another order), all
else is exact. How many events of a stream a text is cut into is a matter of time: neighbours that
say more of the same are joined.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.mesh import Answer, Mesh, running_mesh
from tests.models.chat_folder import THINKING, write_chat_model
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
    chat = (
        f'[[chat.models]]\nid = "org/chat"\nfolder = "{write_chat_model(folder / "chat")}"\n'
        'aliases = ["chat"]\n'
        f'[[chat.models]]\nid = "thinker"\n'
        f'folder = "{write_chat_model(folder / "thinker", template=THINKING)}"\n'
    )
    with running_mesh(folder, models, chat=chat) as mesh:
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
    assert len(list(GOLDEN.glob("chat-*.json"))) >= 20


def _body(request: dict[str, Any]) -> bytes | None:
    if "text" in request:
        return str(request["text"]).encode()
    return json.dumps(request["json"]).encode() if "json" in request else None


def _told(answer: Answer) -> dict[str, Any]:
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    if answer.headers["content-type"] == "text/event-stream":
        return {"status": answer.status, "headers": headers, "events": _events(answer.body)}
    return {"status": answer.status, "headers": headers, "json": _stable(answer.json)}


def _events(body: bytes) -> list[Any]:
    """The data of a stream's events, each on one line; `[DONE]` is the only one without JSON."""
    assert body.endswith(b"\n\n")
    events: list[Any] = []
    for event in body.decode().removesuffix("\n\n").split("\n\n"):
        assert event.startswith("data: ")
        assert "\n" not in event
        data = event.removeprefix("data: ")
        told = data if data == "[DONE]" else _stable(json.loads(data))
        if not (events and _try_join(events[-1], told)):
            events.append(told)
    return events


def _try_join(before: Any, told: Any) -> bool:
    """Add a chunk to the one before it, where both say a part of the same text."""
    try:
        (one,), (other,) = before["choices"], told["choices"]
    except (KeyError, TypeError, ValueError):
        return False
    if one["index"] != other["index"] or one["logprobs"] or other["logprobs"]:
        return False
    if "text" in one:
        one["text"] += other["text"]
        one["finish_reason"] = other["finish_reason"]
        return True
    return _try_join_deltas(one["delta"], other["delta"])


def _try_join_deltas(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if len(one) != 1 or one.keys() != other.keys():
        return False
    if "tool_calls" not in one:
        one |= {kind: text + other[kind] for kind, text in one.items()}
        return True
    (call,), (more,) = one["tool_calls"], other["tool_calls"]
    if "id" in call or "id" in more or call["index"] != more["index"]:
        return False
    call["function"]["arguments"] += more["function"]["arguments"]
    return True


_DIFFERS = {"created": 0, "state_detail": "…", "memory_mib": 0, "cached_tokens": 0}
_IDS = ("chatcmpl-", "cmpl-", "call_")


def _stable(value: Any) -> Any:
    """The answer without what differs on every machine, or in every run."""
    if isinstance(value, dict):
        return {key: _stable_entry(key, each) for key, each in value.items()}
    return [_stable(each) for each in value] if isinstance(value, list) else value


def _stable_entry(key: str, value: Any) -> Any:
    if key == "id":
        prefix = next((prefix for prefix in _IDS if str(value).startswith(prefix)), None)
        return prefix + "…" if prefix else value
    return _DIFFERS[key] if value and key in _DIFFERS else _stable(value)


def _assert_alike(told: Any, recorded: Any) -> None:
    """Equal, key order included; vectors and log probabilities to 1e-4."""
    if isinstance(recorded, dict):
        assert isinstance(told, dict)
        assert list(told) == list(recorded)
        for key, value in recorded.items():
            if key in {"logprob", "token_logprobs"}:
                np.testing.assert_allclose(_number(told[key]), _number(value), atol=1e-4)
            elif key == "embedding":
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


def _number(value: Any) -> Any:
    return np.array(value, np.float64)  # null becomes NaN, which is alike NaN


def _vector(value: str | list[float]) -> Any:
    return np.frombuffer(base64.b64decode(value), "<f4") if isinstance(value, str) else value
