import re

import pytest

from gateway.endpoints import Endpoint, endpoints, families, grpc_methods, path_pattern
from services.runtime.config import ConfigError, Settings
from services.runtime.registry import ENDPOINTS

EMBEDDINGS = Settings(embeddings={})


def test_the_front_desk_is_always_there() -> None:
    assert families(Settings()) == ("frontdesk",)
    assert {endpoint.family for endpoint in endpoints(Settings())} == {"frontdesk"}


def test_a_configured_family_brings_its_endpoints() -> None:
    found = [endpoint for endpoint in endpoints(EMBEDDINGS) if endpoint.family == "embeddings"]

    assert found == [
        Endpoint(
            method="POST",
            template="/v1/embeddings",
            service="switchboard.embeddings.v1.EmbeddingsRest",
            rpc="CreateEmbeddings",
            family="embeddings",
        )
    ]


def test_a_family_that_is_switched_off_brings_none() -> None:
    settings = Settings(embeddings={"enabled": False})

    assert families(settings) == ("frontdesk",)


def test_a_family_that_this_version_lacks_is_named() -> None:
    with pytest.raises(ConfigError, match="images: this version"):
        endpoints(Settings(images={}))


def test_a_path_shows_the_names_of_its_variables() -> None:
    model = next(endpoint for endpoint in endpoints(EMBEDDINGS) if endpoint.rpc == "GetModel")

    assert model.template == "/v1/models/{model=**}"
    assert model.path == "/v1/models/{model}"
    assert model.grpc_method == "switchboard.frontdesk.v1.DirectoryService/GetModel"


@pytest.mark.parametrize(
    ("template", "path", "fits"),
    [
        ("/v1/models", "/v1/models", True),
        ("/v1/models", "/v1/models/", False),
        ("/v1/models/{model=**}", "/v1/models/org/name", True),
        ("/v1/models/{model=**}", "/v1/models/", False),
        ("/v1/files/{file}/content", "/v1/files/f-1/content", True),
        ("/v1/files/{file}/content", "/v1/files/a/b/content", False),
        ("/v1/a.b", "/v1/axb", False),
    ],
)
def test_a_pattern_fits_what_its_template_means(template: str, path: str, fits: bool) -> None:
    assert bool(re.fullmatch(path_pattern(template, re.escape), path)) is fits


def test_the_methods_of_a_family_include_the_typed_door() -> None:
    assert grpc_methods("embeddings") == {
        "switchboard.embeddings.v1.EmbeddingsService": ("CreateEmbeddings",),
        "switchboard.embeddings.v1.EmbeddingsRest": ("CreateEmbeddings",),
    }


def test_messages_of_the_services_name_the_endpoints_that_the_protos_declare() -> None:
    declared = {
        endpoint.family: f"{endpoint.method} {endpoint.path}"
        for endpoint in endpoints(EMBEDDINGS)
        if endpoint.method == "POST"
    }

    assert declared == {family: ENDPOINTS[family] for family in EMBEDDINGS.services}
