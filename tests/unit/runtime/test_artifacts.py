"""Model folders and their files."""

import os

import pytest

from services.runtime.artifacts import (
    ArtifactError,
    Kind,
    detect_kind,
    get_int,
    read_json,
    read_json_list,
    read_optional_json,
    written_at,
)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["modules.json", "config.json"], Kind.SENTENCE_TRANSFORMERS),
        (["genai_config.json", "config.json"], Kind.GENAI),
        (["config.json"], Kind.TRANSFORMERS),
    ],
)
def test_a_folder_is_known_by_the_files_of_its_tool(tmp_path, names, kind):
    for name in names:
        (tmp_path / name).write_text("{}")

    assert detect_kind(tmp_path) is kind


def test_a_missing_folder_a_file_and_an_empty_folder_are_told_apart(tmp_path):
    file = tmp_path / "file"
    file.write_text("")

    for path in (tmp_path / "none", file):
        with pytest.raises(ArtifactError, match="there is no such folder"):
            detect_kind(path)
    with pytest.raises(ArtifactError, match=r"none of modules\.json, genai_config\.json, config"):
        detect_kind(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b"\xff\xfe", "cannot be read as JSON"),
        (b"5", "should hold a JSON"),
        (b"null", "should hold a JSON"),
    ],
)
@pytest.mark.parametrize("read", [read_json, read_json_list])
def test_a_broken_file_is_named(tmp_path, read, content, told):
    path = tmp_path / "config.json"
    path.write_bytes(content)

    with pytest.raises(ArtifactError, match=told) as refused:
        read(path)

    assert str(path) in str(refused.value)


def test_a_missing_file_is_named_and_an_optional_one_is_empty(tmp_path):
    path = tmp_path / "config.json"

    with pytest.raises(ArtifactError, match=r"config\.json: there is no such file"):
        read_json(path)
    assert read_optional_json(path) == {}


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="cannot be read as JSON"):
        read_json(tmp_path)


def test_whole_numbers_are_whole(tmp_path):
    values = {"a": 5, "b": None, "c": True, "d": 1.0, "e": "5"}

    assert get_int(values, "a", tmp_path) == 5
    assert get_int(values, "b", tmp_path) is None
    assert get_int(values, "z", tmp_path) is None
    for name in "cde":
        with pytest.raises(ArtifactError, match=f"'{name}' should be a whole number"):
            get_int(values, name, tmp_path)


def test_a_folder_knows_when_it_was_written(tmp_path):
    os.utime(tmp_path, (1_700_000_000, 1_700_000_000))

    assert written_at(tmp_path) == 1_700_000_000
