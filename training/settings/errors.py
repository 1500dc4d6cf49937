"""What is wrong with a recipe, in words: pydantic's errors as a dotted path and what to do (no torch)."""

from typing import Annotated, Any, get_args, get_origin

from pydantic_core import PydanticCustomError

from training.did_you_mean import nearest
from training.settings.base import Settings

LISTED_BY = ("name", "benchmark", "source", "reward")  # what names an item of a list in a dotted path
TAGS = ("kind", "source", "reward")  # what says which class of a union's settings are


class RecipeError(ValueError):
    """A recipe that cannot be run; `problems` holds (dotted path, what is wrong and what to do)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{path}: {text}" if path else text for path, text in problems))


def error_at(path: str, text: str) -> PydanticCustomError:
    """Return an error for a validator of several settings to raise; `path`, seen from there, is the wrong one."""
    return PydanticCustomError("at", "{text}", {"path": path, "text": text})


def item_name(item: Any) -> str:
    """Return what a dotted path calls an item of a list, or "" when it has no name."""
    if isinstance(item, dict):
        return next((str(item[k]) for k in LISTED_BY if k in item), "")
    return str(item)


def problem(error: Any, data: Any, model: type[Settings]) -> tuple[str, str]:
    """One of pydantic's errors as (dotted path with items by name, what to do)."""
    path: list[str] = []
    for key in error["loc"]:
        if isinstance(data, list) and isinstance(key, int):
            data = data[key] if key < len(data) else None
            path.append(item_name(data) or str(key))
        elif isinstance(data, dict) and key in data:
            data = data[key]
            path.append(str(key))
        elif isinstance(data, dict) and key in [data.get(tag) for tag in TAGS]:
            continue  # the tag of a union, not a key
        else:
            data = None
            path.append(str(key))
    where, context = ".".join(path), error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return where, f"there is no setting {path[-1]!r}{nearest(path[-1], _known(error, model))}"
        case "union_tag_invalid":
            tags = [tag.strip().strip("'") for tag in context["expected_tags"].split(",")]
            word = str(context["discriminator"]).strip("'")
            return where, f"there is no {word} {context['tag']!r}{nearest(str(context['tag']), tags)}"
        case "union_tag_not_found":
            return where, f"say which {context['discriminator']} it is"
        case "missing":
            return where, "is missing; give it a value"
        case "value_error":
            return where, str(context["error"])
        case "at":
            return ".".join([*path, context["path"]]), context["text"]
        case "too_short":
            return where, "is empty; give at least one"
        case "string_pattern_mismatch":
            return where, f"use small letters, digits and _, a letter first, not {error['input']!r}"
        case "dict_type" | "model_attributes_type" | "model_type":
            return where, f"must be a mapping of settings, not {error['input']!r}"
        case _:
            return where, f"{_plain(error['msg'])}, not {error['input']!r}"


def _plain(message: str) -> str:
    """Pydantic's "Input should be a valid number, unable to parse …" in this project's words."""
    text = message.split(", ")[0] if "valid" in message else message
    for theirs, ours in (
        ("Input should be", "must be"),
        ("greater than or equal to", "at least"),
        ("less than or equal to", "at most"),
        ("greater than", "more than"),
    ):
        text = text.replace(theirs, ours)
    return f"{text[0].lower()}{text[1:]}"


def _known(error: Any, model: type[Settings]) -> list[str]:
    """Field names that are allowed where an unknown key was found."""
    found: Any = model
    for key in error["loc"][:-1]:
        found = _below(found, key)
    return list(found.model_fields) if isinstance(found, type) and issubclass(found, Settings) else []


def _below(annotation: Any, key: str | int) -> Any:
    """The type that lies at a key of pydantic's error location below an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        field = annotation.model_fields.get(str(key))
        return _unwrapped(field.annotation) if field else None
    if isinstance(key, int):
        return annotation
    for option in get_args(annotation):
        if isinstance(option, type) and issubclass(option, Settings):
            for tag in TAGS:
                field = option.model_fields.get(tag)
                if field and key in get_args(field.annotation):
                    return option
    return annotation


def _unwrapped(annotation: Any) -> Any:
    """list[X], X | None → X (a union of settings stays a union)."""
    while get_origin(annotation) in (list, Annotated):
        annotation = get_args(annotation)[0]
    options = [a for a in get_args(annotation) if a is not type(None)]
    if len(options) == 1 and get_origin(annotation) is not dict:
        return _unwrapped(options[0])
    return annotation
