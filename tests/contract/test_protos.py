"""The rules of our protos, checked on the descriptor set that is shipped."""

import importlib.resources
from collections.abc import Iterator

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

OURS = "switchboard."
RAW = ".google.api.HttpBody"
UNFIT_FOR_JSON = {
    FieldDescriptorProto.Type.Value(f"TYPE_{name}")
    for name in ("INT64", "UINT64", "SINT64", "FIXED64", "SFIXED64", "UINT32", "FIXED32")
}
"""64-bit numbers become strings in JSON; unsigned ones have no type in OpenAI's schema."""

Path = tuple[int, ...]


def our_files(protos: FileDescriptorSet) -> Iterator[FileDescriptorProto]:
    return (file for file in protos.file if file.package.startswith(OURS))


def messages(
    holder: FileDescriptorProto | DescriptorProto, name: str, path: Path = ()
) -> Iterator[tuple[str, Path, DescriptorProto]]:
    """Yield every message with its full name and its path in the source information."""
    is_file = isinstance(holder, FileDescriptorProto)
    nested = holder.message_type if is_file else holder.nested_type
    for index, message in enumerate(nested):
        if message.options.map_entry:
            continue
        own_name, own_path = f"{name}.{message.name}", (*path, 4 if is_file else 3, index)
        yield own_name, own_path, message
        yield from messages(message, own_name, own_path)


def elements(file: FileDescriptorProto) -> Iterator[tuple[str, Path]]:
    """Yield everything that wants a comment, with its path in the source information.

    Source: https://github.com/protocolbuffers/protobuf, descriptor.proto, SourceCodeInfo.Location
    """

    def enums(
        found: list[EnumDescriptorProto], name: str, path: Path
    ) -> Iterator[tuple[str, Path]]:
        for index, enum in enumerate(found):
            yield f"{name}.{enum.name}", (*path, index)
            for place, value in enumerate(enum.value):
                yield f"{name}.{enum.name}.{value.name}", (*path, index, 2, place)

    for index, service in enumerate(file.service):
        yield f"{file.package}.{service.name}", (6, index)
        for place, method in enumerate(service.method):
            yield f"{file.package}.{service.name}.{method.name}", (6, index, 2, place)
    yield from enums(list(file.enum_type), file.package, (5,))
    for name, path, message in messages(file, file.package):
        yield name, path
        yield from enums(list(message.enum_type), name, (*path, 4))
        for index, field in enumerate(message.field):
            yield f"{name}.{field.name}", (*path, 2, index)
        synthetic = {field.oneof_index for field in message.field if field.proto3_optional}
        for index, oneof in enumerate(message.oneof_decl):
            if index not in synthetic:
                yield f"{name}.{oneof.name}", (*path, 8, index)


def uncommented(protos: FileDescriptorSet) -> list[str]:
    """Every part of our protos that has no comment (AIP-192)."""
    found = []
    for file in our_files(protos):
        commented = {
            tuple(location.path)
            for location in file.source_code_info.location
            if (location.leading_comments + location.trailing_comments).strip()
        }
        found += [name for name, path in elements(file) if path not in commented]
    return found


def our_methods(protos: FileDescriptorSet) -> Iterator[tuple[str, MethodDescriptorProto]]:
    for file in our_files(protos):
        for service in file.service:
            for method in service.method:
                yield f"{file.package}.{service.name}.{method.name}", method


def unfit_for_json(protos: FileDescriptorSet) -> list[str]:
    """Every field that Envoy would print otherwise than OpenAI's clients read it."""
    by_name = {
        f".{name}": message
        for file in protos.file
        for name, _, message in messages(file, file.package)
    }
    waiting = [
        kind
        for _, method in our_methods(protos)
        if method.options.HasExtension(annotations_pb2.http)
        for kind in (method.input_type, method.output_type)
        if kind != RAW
    ]
    found, seen = [], set()
    while waiting:
        kind = waiting.pop()
        if kind in seen or kind not in by_name:
            continue
        seen.add(kind)
        for field in by_name[kind].field:
            if field.type in UNFIT_FOR_JSON:
                found.append(f"{kind.removeprefix('.')}.{field.name}")
            elif field.type == FieldDescriptorProto.TYPE_MESSAGE:
                waiting.append(field.type_name)
    return sorted(found)


def misnamed(protos: FileDescriptorSet) -> list[str]:
    """Every RPC of a typed service whose messages are not named after it (AIP-136, AIP-131)."""
    found = []
    for name, method in our_methods(protos):
        asked = method.input_type.rpartition(".")[2]
        told = method.output_type.rpartition(".")[2]
        resource = method.name.removeprefix("Get") if method.name.startswith("Get") else None
        if method.input_type != RAW and asked != f"{method.name}Request":
            found.append(f"{name} takes {asked}")
        if method.output_type != RAW and told not in {f"{method.name}Response", resource}:
            found.append(f"{name} returns {told}")
    return found


def misplaced(protos: FileDescriptorSet) -> list[str]:
    """Every file that is not where its package says (AIP-191)."""
    return [
        file.name
        for file in protos.file
        if (file.package.startswith(OURS) or file.name.startswith("switchboard/"))
        and file.name.rpartition("/")[0] != file.package.replace(".", "/")
    ]


@pytest.fixture(scope="module")
def shipped() -> FileDescriptorSet:
    data = (importlib.resources.files("switchboard") / "descriptors.pb").read_bytes()
    return FileDescriptorSet.FromString(data)


def test_the_descriptor_set_holds_our_packages_and_what_they_import(shipped):
    names = {file.name for file in shipped.file}

    assert {file.package for file in our_files(shipped)} >= {
        "switchboard.embeddings.v1",
        "switchboard.frontdesk.v1",
        "switchboard.runtime.v1",
    }
    assert {name for file in shipped.file for name in file.dependency} <= names


def test_every_part_of_our_protos_has_a_comment(shipped):
    assert uncommented(shipped) == []


def test_no_transcoded_message_holds_a_number_that_json_clients_misread(shipped):
    assert unfit_for_json(shipped) == []


def test_requests_and_responses_are_named_after_their_rpc(shipped):
    assert misnamed(shipped) == []


def test_every_proto_lies_where_its_package_says(shipped):
    assert misplaced(shipped) == []


@pytest.fixture
def bad() -> FileDescriptorSet:
    """A set that breaks every rule once or twice."""
    protos = FileDescriptorSet()
    file = protos.file.add(name="switchboard/odd/v1/odd.proto", package="switchboard.strange.v1")
    thing = file.message_type.add(name="Thing")
    thing.field.add(name="size", type=FieldDescriptorProto.TYPE_INT64)
    part = thing.nested_type.add(name="Part")
    part.field.add(name="count", type=FieldDescriptorProto.TYPE_UINT32)
    part.field.add(name="fine", type=FieldDescriptorProto.TYPE_INT32)
    thing.field.add(
        name="part",
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=".switchboard.strange.v1.Thing.Part",
    )
    thing.field.add(
        name="maybe", type=FieldDescriptorProto.TYPE_INT32, proto3_optional=True, oneof_index=0
    )
    thing.oneof_decl.add(name="_maybe")
    thing.oneof_decl.add(name="choice")
    thing.nested_type.add(name="MapEntry").options.map_entry = True
    hidden = file.message_type.add(name="Internal")
    hidden.field.add(name="large", type=FieldDescriptorProto.TYPE_UINT64)
    enum = file.enum_type.add(name="Color")
    enum.value.add(name="COLOR_RED", number=0)
    service = file.service.add(name="OddService")
    odd = service.method.add(
        name="MakeThing",
        input_type=".switchboard.strange.v1.Internal",
        output_type=".switchboard.strange.v1.Thing",
    )
    service.method.add(
        name="GetThing",
        input_type=".switchboard.strange.v1.GetThingRequest",
        output_type=".switchboard.strange.v1.Thing",
    ).options.Extensions[annotations_pb2.http].get = "/things"
    raw = service.method.add(name="Raw", input_type=RAW, output_type=RAW)
    raw.options.Extensions[annotations_pb2.http].post = "/raw"
    assert not odd.options.HasExtension(annotations_pb2.http)
    comment = file.source_code_info.location.add(path=[4, 0, 2, 0])
    comment.leading_comments = " How large it is."
    file.source_code_info.location.add(path=[4, 0]).leading_comments = " \n"
    return protos


def test_a_missing_comment_is_found_and_an_empty_one_is_none(bad):
    prefix = "switchboard.strange.v1."

    assert {name.removeprefix(prefix) for name in uncommented(bad)} == {
        "Thing",
        "Thing.part",
        "Thing.maybe",
        "Thing.choice",
        "Thing.Part",
        "Thing.Part.count",
        "Thing.Part.fine",
        "Internal",
        "Internal.large",
        "Color",
        "Color.COLOR_RED",
        "OddService",
        "OddService.MakeThing",
        "OddService.GetThing",
        "OddService.Raw",
    }


def test_a_number_is_found_where_a_transcoded_method_reaches_it_and_only_there(bad):
    assert unfit_for_json(bad) == [
        "switchboard.strange.v1.Thing.Part.count",
        "switchboard.strange.v1.Thing.size",
    ]


def test_a_wrong_name_is_found_and_a_resource_or_a_raw_body_is_none(bad):
    assert misnamed(bad) == [
        "switchboard.strange.v1.OddService.MakeThing takes Internal",
        "switchboard.strange.v1.OddService.MakeThing returns Thing",
    ]


def test_a_file_in_the_wrong_folder_is_found(bad):
    assert misplaced(bad) == ["switchboard/odd/v1/odd.proto"]
