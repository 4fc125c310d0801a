"""What a running mesh says about itself: the front desk's lists, read through the gateway."""

import http.client
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

TIMEOUT_S = 5.0

AnswerT = TypeVar("AnswerT")


class MeshError(Exception):
    """The mesh does not tell; the message says why."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /v1/models`; fields as in `frontdesk.proto`."""

    id: str
    state: str = ""
    state_detail: str = ""
    aliases: tuple[str, ...] = ()
    provider: str = ""
    endpoint: str = ""
    owned_by: str = ""
    context_length: int = 0
    dimensions: int = 0
    memory_mib: int = 0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `GET /v1/endpoints`; fields as in `frontdesk.proto`."""

    method: str
    path: str
    service: str = ""
    state: str = ""
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()


class _Models(msgspec.Struct):
    data: tuple[Model, ...] = ()


class _Endpoints(msgspec.Struct):
    data: tuple[Endpoint, ...] = ()


class Directory:
    """The lists behind one gateway. Goes there directly, never through a proxy."""

    def __init__(self, url: str) -> None:
        """Take the gateway's URL, such as `http://localhost:8080`."""
        self._url = urlsplit(url if "://" in url else f"http://{url}")

    def models(self) -> tuple[Model, ...]:
        """Return every model.

        Raises:
            MeshError: Nobody answers, or with something else.
        """
        return _decoded(self._get("/v1/models"), _Models).data

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every endpoint; raises as `models`."""
        return _decoded(self._get("/v1/endpoints"), _Endpoints).data

    def _get(self, path: str) -> bytes:
        url = self._url
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        try:
            connection = kind(url.hostname or "", url.port, timeout=TIMEOUT_S)
            try:
                connection.request("GET", url.path.rstrip("/") + path)
                answer = connection.getresponse()
                body = answer.read()
            finally:
                connection.close()
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or error or type(error).__name__
            raise MeshError(f"{url.geturl()} does not answer ({reason})") from None
        if answer.status != http.client.OK:
            raise MeshError(f"{url.geturl()}{path} answers {answer.status} ({_brief(body)})")
        return body


def _decoded(body: bytes, kind: type[AnswerT]) -> AnswerT:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MeshError(f"this is no Switchboard gateway: {error}") from None


def _brief(body: bytes) -> str:
    return body[:200].decode(errors="replace").strip()
