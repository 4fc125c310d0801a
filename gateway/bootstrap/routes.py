"""Which path goes to which service, for REST and for gRPC on the same port."""

import re
from collections.abc import Iterator, Sequence

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2

from gateway.bootstrap.cors import cors_policy
from gateway.bootstrap.values import packed, seconds, wrapped
from gateway.endpoints import FRONT_DESK, VARIABLE, Endpoint, families, package, path_pattern
from services.runtime.config import Settings

RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled"
"""Only what no service has begun to work on.

`unavailable` is how a draining replica declines, `cancelled` what gRPC makes of calls that meet
the end of its drain.
"""


def routes(settings: Settings, known: Sequence[Endpoint]) -> route_pb2.RouteConfiguration:
    """Return the routing table: one virtual host for every name."""
    host = route_components_pb2.VirtualHost(
        name="switchboard",
        domains=["*"],
        routes=[*_grpc_routes(settings), *_rest_routes(known), _unknown_path()],
        retry_policy=_retry_policy(),
        response_headers_to_add=[_processing_time()],
        typed_per_filter_config={"envoy.filters.http.cors": packed(cors_policy(settings.gateway))},
    )
    return route_pb2.RouteConfiguration(name="switchboard", virtual_hosts=[host])


def _grpc_routes(settings: Settings) -> Iterator[route_components_pb2.Route]:
    """Yield the routes of gRPC calls, the transcoder's included.

    `switchboard.runtime.v1` is not among them: what a process tells the mesh stays inside.
    """
    for family in families(settings):
        yield _route(family, prefix=f"/{package(family)}.")
    yield _route(FRONT_DESK, prefix="/grpc.reflection.")
    yield _route(FRONT_DESK, prefix="/grpc.health.v1.Health/")


def _rest_routes(known: Sequence[Endpoint]) -> Iterator[route_components_pb2.Route]:
    """Yield the routes of REST paths, which the filters before the transcoder act upon."""
    for template, family in dict.fromkeys((e.template, e.family) for e in known):
        if VARIABLE.search(template):
            yield _route(
                family, safe_regex=regex_pb2.RegexMatcher(regex=path_pattern(template, re.escape))
            )
        else:
            yield _route(family, path=template)


def _route(cluster: str, **match: object) -> route_components_pb2.Route:
    """Return a route without a time limit of its own: a stream lasts as long as it talks.

    The caller's `grpc-timeout` is honoured, whatever it is.
    """
    action = route_components_pb2.RouteAction(
        cluster=cluster,
        timeout=seconds(0),
        max_stream_duration=route_components_pb2.RouteAction.MaxStreamDuration(
            grpc_timeout_header_max=seconds(0)
        ),
    )
    return route_components_pb2.Route(match=route_components_pb2.RouteMatch(**match), route=action)


def _unknown_path() -> route_components_pb2.Route:
    """Return the route of every other REST path, for CORS and whoever else needs one.

    No call takes it: the wrong-door hint answers. A gRPC call finds no route and is UNIMPLEMENTED.
    """
    grpc = route_components_pb2.HeaderMatcher(
        name="content-type",
        string_match=string_pb2.StringMatcher(prefix="application/grpc"),
        treat_missing_header_as_empty=True,
        invert_match=True,
    )
    return _route(FRONT_DESK, prefix="/", headers=[grpc])


def _processing_time() -> base_pb2.HeaderValueOption:
    """Return OpenAI's header: milliseconds from the call's arrival to the service's first byte."""
    header = base_pb2.HeaderValue(key="openai-processing-ms", value="%RESPONSE_DURATION%")
    return base_pb2.HeaderValueOption(header=header, append_action="ADD_IF_ABSENT")


def _retry_policy() -> route_components_pb2.RetryPolicy:
    """Return two more tries, on other replicas where there are any, within a third of a second."""
    policy = route_components_pb2.RetryPolicy
    return policy(
        retry_on=RETRY_ON,
        num_retries=wrapped(2),
        retry_back_off=policy.RetryBackOff(base_interval=seconds(0.025), max_interval=seconds(0.2)),
        retry_host_predicate=[
            policy.RetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts",
                typed_config=packed(previous_hosts_pb2.PreviousHostsPredicate()),
            )
        ],
        host_selection_retry_max_attempts=3,
    )
