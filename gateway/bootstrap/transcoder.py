"""REST -> gRPC: the transcoder and what it knows of the protos."""

from collections.abc import Sequence

from envoy.extensions.filters.http.grpc_json_transcoder.v3 import transcoder_pb2

from gateway.bootstrap.values import wrapped
from gateway.descriptors import descriptor_set
from gateway.endpoints import Endpoint
from services.runtime.config import Settings


def transcoder(settings: Settings, known: Sequence[Endpoint]) -> transcoder_pb2.GrpcJsonTranscoder:
    """Return the transcoder for every annotated service of the configured families."""
    message = transcoder_pb2.GrpcJsonTranscoder
    return message(
        proto_descriptor_bin=descriptor_set().SerializeToString(deterministic=True),
        services=dict.fromkeys(endpoint.service for endpoint in known),
        print_options=message.PrintOptions(
            preserve_proto_field_names=True, always_print_primitive_fields=True
        ),
        convert_grpc_status=True,
        ignore_unknown_query_parameters=True,
        # SDKs send the id `org/name` as `org%2Fname`.
        url_unescape_spec="ALL_CHARACTERS",
        request_validation_options=message.RequestValidationOptions(reject_unknown_method=True),
        max_request_body_size=wrapped(settings.gateway.max_body_bytes),
        max_response_body_size=wrapped(_largest_message_bytes(settings)),
    )


def _largest_message_bytes(settings: Settings) -> int:
    services = (settings.frontdesk, *settings.services.values())
    return max(service.max_message_bytes for service in services)
