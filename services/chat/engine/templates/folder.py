"""The chat templates of a model folder, wherever its tool has put them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.runtime.artifacts import ArtifactError, read_optional_json

DEFAULT = "default"
TOOL_USE = "tool_use"

_FILE = "chat_template.jinja"
_MORE_FILES = "additional_chat_templates"
_CONFIG = "tokenizer_config.json"

_SPECIAL_TOKENS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)
"""The names under which templates know special tokens; others are not told to them."""


@dataclass(frozen=True, slots=True)
class TemplateSources:
    """What a folder says about writing prompts."""

    folder: Path
    by_name: dict[str, str]
    """The text of each template; `default` is always there."""
    special_tokens: dict[str, str]
    """`bos_token`, `eos_token` and their like: the text of each that the model has."""


def read_template_sources(folder: Path) -> TemplateSources:
    """Return the templates and the special tokens of a folder.

    Raises:
        ArtifactError: There is no template, or a file is not as it should be; it is named.
    """
    sources = try_read_template_sources(folder)
    if sources is None:
        raise ArtifactError(
            f"{folder}: no chat template: there is neither {_FILE} nor a 'chat_template' in"
            f" {_CONFIG}. A base model has none; take the template of its chat version"
        )
    return sources


def try_read_template_sources(folder: Path) -> TemplateSources | None:
    """Return the templates and the special tokens of a folder; None where it has no template.

    A `chat_template.jinja` wins over `tokenizer_config.json`, as in transformers.

    Raises:
        ArtifactError: A file is not as it should be; it is named.

    Source: https://huggingface.co/docs/transformers/chat_templating_writing
    """
    config = read_optional_json(folder / _CONFIG)
    by_name = _files(folder) or _configured(config.get("chat_template"), folder / _CONFIG)
    if not by_name:
        return None
    if DEFAULT not in by_name:
        raise ArtifactError(
            f"{folder}: the chat templates are {', '.join(sorted(by_name))};"
            f" one should be named '{DEFAULT}'"
        )
    return TemplateSources(folder, by_name, _special_tokens(folder, config))


def _files(folder: Path) -> dict[str, str]:
    paths = {path.stem: path for path in sorted(folder.glob(f"{_MORE_FILES}/*.jinja"))}
    if (folder / _FILE).is_file():
        paths[DEFAULT] = folder / _FILE
    return {name: _read_text(path) for name, path in paths.items()}


def _configured(value: Any, path: Path) -> dict[str, str]:
    """Return the templates of `tokenizer_config.json`: one text, or a list of named ones."""
    match value:
        case None:
            return {}
        case str():
            return {DEFAULT: value}
        case list():
            return dict(_named(item, path) for item in value)
    raise ArtifactError(f"{path}: 'chat_template' should be a text or a list of named texts")


def _named(item: Any, path: Path) -> tuple[str, str]:
    match item:
        case {"name": str(name), "template": str(text)}:
            return name, text
    raise ArtifactError(f"{path}: each 'chat_template' of a list should have a name and a template")


def _special_tokens(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """Return the text of each special token; some tools write them as objects."""
    told = read_optional_json(folder / "special_tokens_map.json") | config
    tokens = {}
    for name in _SPECIAL_TOKENS:
        match told.get(name):
            case str(text) | {"content": str(text)}:
                tokens[name] = text
    return tokens


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read as text: {error}") from None
