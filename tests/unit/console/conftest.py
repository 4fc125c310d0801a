"""Settings without a file, and a gateway that says what it is told to."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from services.runtime.config import (
    FrontDeskSettings,
    GatewaySettings,
    ModelSettings,
    ServiceSettings,
    Settings,
)

Answers = dict[str, tuple[int, bytes]]


@pytest.fixture
def settings() -> Settings:
    """A mesh with two embedding models, on ports that nothing listens on."""
    models = tuple(
        ModelSettings.model_validate({"id": name, "folder": f"/models/{name}", "aliases": aliases})
        for name, aliases in {"small": ["text-embedding-3-small"], "large": []}.items()
    )
    return Settings.model_construct(
        gateway=GatewaySettings(port=8080, admin_port=9901),
        frontdesk=FrontDeskSettings(),
        embeddings=ServiceSettings(port=50054, metrics_port=9104, models=models),
    )


@pytest.fixture
def gateway() -> Iterator[Callable[[Answers], HTTPServer]]:
    """Return what starts an HTTP server with the given answers."""
    servers: list[HTTPServer] = []

    def start(answers: Answers) -> HTTPServer:
        class Handler(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.1"

            def do_GET(self) -> None:
                status, body = answers.get(self.path, (404, b"no such path"))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
