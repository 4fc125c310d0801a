"""The one list of REST endpoints, read from the `google.api.http` annotations of the protos.

Routes, transcoder, wrong-door hints, health checks and `GET /v1/endpoints` all start here.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from gateway.descriptors import descriptor_set
from services.runtime.config import ConfigError, Settings

FRONT_DESK = "frontdesk"
"""The front desk's family: it is always there."""

VERBS = ("get", "put", "post", "delete", "patch")
"""The HTTP methods that an annotation can name."""

VARIABLE = re.compile(r"\{(?P<name>[^}=]+)(?:=(?P<pattern>[^}]*))?\}")
"""A variable of a path template.

Source: https://github.com/googleapis/googleapis/blob/master/google/api/http.proto
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path of the REST API and the gRPC method behind it."""

    method: str
    """HTTP method, such as `POST`."""
    template: str
    """The annotated path, such as `/v1/models/{model=**}`."""
    service: str
    """Full name of the gRPC service, such as `switchboard.frontdesk.v1.DirectoryService`."""
    rpc: str
    """The method of that service, such as `GetModel`."""
    family: str
    """The family that serves it, such as `embeddings`."""

    @property
    def path(self) -> str:
        """The path as people read it: `/v1/models/{model}`."""
        return VARIABLE.sub(r"{\g<name>}", self.template)

    @property
    def grpc_method(self) -> str:
        """The gRPC method as grpcurl takes it: `switchboard.x.v1.XService/GetModel`."""
        return f"{self.service}/{self.rpc}"


def path_pattern(template: str, escape: Callable[[str], str]) -> str:
    """Return what a path template matches, for Lua and RE2 alike; `**` spans slashes.

    Args:
        template: Such as `/v1/models/{model=**}`.
        escape: Makes a text match itself in the language at hand.
    """
    parts, end = [], 0
    for variable in VARIABLE.finditer(template):
        parts.append(escape(template[end : variable.start()]))
        parts.append(".+" if variable["pattern"] == "**" else "[^/]+")
        end = variable.end()
    return "".join([*parts, escape(template[end:])])


def families(settings: Settings) -> tuple[str, ...]:
    """Return the front desk and the enabled families."""
    return (FRONT_DESK, *settings.services)


def package(family: str) -> str:
    """Return the proto package of a family, such as `switchboard.embeddings.v1`."""
    return f"switchboard.{family}.v1"


def endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    """Return the endpoints of the configured families, in the order of the protos.

    Raises:
        ConfigError: A configured family has no endpoint in the protos.
    """
    found = tuple(endpoint for family in families(settings) for endpoint in _declared(family))
    for family in families(settings):
        if not any(endpoint.family == family for endpoint in found):
            raise ConfigError(f"{family}: this version of Switchboard has no such service")
    return found


def rest_service(family: str, known: Iterable[Endpoint]) -> str:
    """Return the full name of the service behind a family's endpoints: it speaks for its health."""
    return next(endpoint.service for endpoint in known if endpoint.family == family)


def grpc_methods(family: str) -> dict[str, tuple[str, ...]]:
    """Return the methods of a family's services, by full name; the typed door is among them."""
    return {
        f"{file.package}.{service.name}": tuple(method.name for method in service.method)
        for file in _files(family)
        for service in file.service
    }


def _files(family: str) -> Iterator[FileDescriptorProto]:
    return (file for file in descriptor_set().file if file.package == package(family))


def _declared(family: str) -> Iterator[Endpoint]:
    for file in _files(family):
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                for verb, template in _bindings(rule):
                    name = f"{file.package}.{service.name}"
                    yield Endpoint(verb, template, name, method.name, family)


def _bindings(rule: http_pb2.HttpRule) -> Iterator[tuple[str, str]]:
    """Yield method and path template of a rule and of its additional bindings."""
    for binding in (rule, *rule.additional_bindings):
        verb = binding.WhichOneof("pattern")
        if verb in VERBS:
            yield verb.upper(), getattr(binding, verb)
