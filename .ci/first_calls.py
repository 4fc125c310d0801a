"""Asks every endpoint of a running mesh once, with nothing but the standard library."""

import argparse
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

RETRIES = 3


def ask(url: str, body: object = None) -> Any:
    """Send one request and return the decoded answer; as SDKs do, ask again where told to."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310
    for attempt in range(RETRIES + 1):
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            pause_s = error.headers.get("retry-after")
            if attempt == RETRIES or error.code != 503 or pause_s is None:
                raise
            time.sleep(float(pause_s))
    raise AssertionError("the last attempt returns or raises")


def wait_for(url: str, wait_s: float, pid: int | None) -> None:
    """Return when every model is ready; fail after `wait_s`, or when the process ended."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            models = ask(f"{url}/v1/models")["data"]
        except (OSError, urllib.error.URLError) as error:
            problem = str(error)
        else:
            if models and all(model["state"] == "ready" for model in models):
                return
            problem = str(models)
        if time.monotonic() >= deadline:
            raise SystemExit(f"the mesh is not ready after {wait_s} s: {problem}")
        if pid is not None and not _runs(pid):
            raise SystemExit("the mesh ended before it was ready")
        time.sleep(0.5)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Ask, check, and say what came back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--wait-s", type=float, default=60)
    parser.add_argument("--while-pid", type=int)
    options = parser.parse_args()
    wait_for(options.url, options.wait_s, options.while_pid)
    models = ask(f"{options.url}/v1/models")["data"]
    print("GET /v1/models:", ", ".join(f"{model['id']} ({model['state']})" for model in models))
    endpoints = ask(f"{options.url}/v1/endpoints")["data"]
    print("GET /v1/endpoints:", ", ".join(endpoint["path"] for endpoint in endpoints))
    asked = {"role": "user", "content": "What is the capital of France?"}
    body = {"model": "starter-chat", "messages": [asked]}
    completion = ask(f"{options.url}/v1/chat/completions", body)
    reply = completion["choices"][0]["message"]["content"]
    assert "Paris" in reply, reply
    print("POST /v1/chat/completions:", reply, "usage", completion["usage"])
    answer = ask(f"{options.url}/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": "hello"})
    vector = answer["data"][0]["embedding"]
    assert len(vector) == 384, len(vector)
    assert abs(sum(value * value for value in vector) - 1) < 1e-3, "the vector has unit length"
    print("POST /v1/embeddings:", len(vector), "numbers, usage", answer["usage"])


if __name__ == "__main__":
    main()
