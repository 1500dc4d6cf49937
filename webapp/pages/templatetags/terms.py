"""Small question marks that lead to a word's meaning in the help."""

from typing import Any

from django import template

from webapp.pages.help import documents

register = template.Library()


@register.inclusion_tag("help/_term.html")
def term(name: str) -> dict[str, Any]:
    """A link to a term of the glossary, by its anchor: {% term "mcnemar" %}. Raises KeyError where there is no such term."""
    return {"entry": documents.terms()[documents.anchor(name)]}


@register.simple_tag
def term_address(name: str) -> str:
    """Where the glossary explains a word. Raises KeyError where it does not."""
    return documents.terms()[documents.anchor(name)].address
