"""What all settings derive from (pydantic, no torch)."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Settings(BaseModel):
    """Base of every settings class: unknown keys are errors, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _yes_is_no_number(cls, data: Any) -> Any:
        """YAML reads `no` as False, which pydantic takes for 0, also in a list."""
        for name, value in data.items() if isinstance(data, Mapping) else ():
            given = value if isinstance(value, list | tuple) else [value]
            if any(isinstance(one, bool) for one in given) and name in cls.model_fields:
                kinds = _kinds(cls.model_fields[name].annotation)
                if {int, float} & kinds and bool not in kinds:
                    text = "must be a number, not yes or no"
                    raise PydanticCustomError("at", "{text}", {"path": name, "text": text})
        return data


def _kinds(annotation: Any) -> set[Any]:
    """What a value, or an item of a list of values, may be."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType, list, tuple):
        return set().union(*map(_kinds, get_args(annotation)))
    return {annotation}
