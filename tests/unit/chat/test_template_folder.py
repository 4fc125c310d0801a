"""Where a model folder keeps its chat templates."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.chat.engine.templates.folder import read_template_sources
from services.chat.engine.templates.prompts import read_prompts
from services.runtime.artifacts import ArtifactError


def configure(folder: Path, **config: Any) -> Path:
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_a_template_is_read_from_its_file_before_the_configuration(tmp_path: Path) -> None:
    configure(tmp_path, chat_template="old")
    assert read_template_sources(tmp_path).by_name == {"default": "old"}

    (tmp_path / "chat_template.jinja").write_text("né", encoding="utf-8")
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text("tools")

    assert read_template_sources(tmp_path).by_name == {"default": "né", "tool_use": "tools"}


def test_one_of_several_templates_is_for_tools(tmp_path: Path) -> None:
    names = [
        {"name": "default", "template": "words"},
        {"name": "tool_use", "template": "tools"},
        {"name": "rag", "template": "{% broken"},
    ]
    prompts = read_prompts(configure(tmp_path, chat_template=names))
    message = {"role": "user", "content": "Hello"}

    assert prompts.write([message]) == "words"
    assert prompts.write([message], tools=[]) == "words"
    assert prompts.write([message], tools=[{"type": "function"}]) == "tools"
    assert prompts.template(with_tools=True).source == "tools"


def test_special_tokens_are_texts_or_objects(tmp_path: Path) -> None:
    configure(
        tmp_path,
        chat_template="{{ bos_token }}{{ eos_token }}",
        bos_token={"content": "<s>", "lstrip": False},
        eos_token="</s>",  # noqa: S106
        pad_token=None,
        model_max_length=7,
    )
    (tmp_path / "special_tokens_map.json").write_text('{"unk_token": "<u>", "eos_token": "!"}')

    sources = read_template_sources(tmp_path)

    assert sources.special_tokens == {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<u>",
    }
    assert read_prompts(tmp_path).write([{"role": "user", "content": ""}]) == "<s></s>"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no chat template"),
        ({"chat_template": None}, "no chat template"),
        ({"chat_template": []}, "no chat template"),
        ({"chat_template": 7}, "should be a text"),
        ({"chat_template": ["words"]}, "a name and a template"),
        ({"chat_template": [{"name": "rag", "template": "x"}]}, "named 'default'"),
        ({"chat_template": "{% for %}"}, "line 1"),
    ],
)
def test_a_folder_without_a_usable_template_is_refused(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArtifactError, match=message) as caught:
        read_prompts(configure(tmp_path, **config))

    assert str(tmp_path) in str(caught.value)


def test_a_template_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff\xfe")

    with pytest.raises(ArtifactError, match=r"chat_template\.jinja"):
        read_template_sources(tmp_path)
