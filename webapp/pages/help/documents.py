"""The documents of the help, from docs/*.md: as HTML with an anchor for each heading and each term, and as entries to search."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token

from webapp.experiments.notes import Renderer

DOCUMENTS = {  # file of docs/ → what a person finds in it
    "glossary": "What each word on these pages means, from accuracy to verdict.",
    "statistics": "What a comparison is tested with, at which level, and what an interval speaks for.",
    "findings": "What the diagnosis looks for in a run, and when it says so.",
    "operations": "Settings, queues and workers, several machines, back-up, and what to do when something is wrong.",
}
WITH_TERMS = ("glossary", "findings")  # whose tables have a term in the first cell of each row
# (where the records of decisions say why): they are not in the help, so that their numbers lead nowhere
RECORDS = re.compile(r"\s*\((?:\[[^\]]*\]\(decisions/[^)]*\)(?:,\s*|\s+and\s+)?)+\)")
EXCERPT = 220  # characters
CONTENTS = 2  # level of the headings in a table of contents


@dataclass(frozen=True)
class HelpEntry:
    """A section or a term: what the search finds and links lead to."""

    document: str
    anchor: str  # empty: the document's beginning
    title: str
    text: str  # without the sections below it
    level: int  # of its heading; 0: a term

    @property
    def address(self) -> str:
        """Where it is read."""
        return reverse("help_page", args=[self.document]) + (f"#{self.anchor}" if self.anchor else "")

    @property
    def excerpt(self) -> str:
        """As much of the text as a line of results holds."""
        return self.text if len(self.text) <= EXCERPT else f"{self.text[:EXCERPT].rsplit(' ', 1)[0]} …"


@dataclass(frozen=True)
class HelpDocument:
    """A document as it is shown."""

    name: str
    title: str
    html: SafeString
    entries: Sequence[HelpEntry]

    @property
    def contents(self) -> list[HelpEntry]:
        """Its headings."""
        return [entry for entry in self.entries if entry.level == CONTENTS]


class HelpRenderer(Renderer):
    """Headings keep their level, as the document is the page, and show their anchors."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """With its id."""
        return self.renderToken(tokens, idx, options, env)

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """As it was opened."""
        return self.renderToken(tokens, idx, options, env)


MARKDOWN = MarkdownIt("js-default", renderer_cls=HelpRenderer).disable("image")


@cache
def document(name: str) -> HelpDocument:
    """One of DOCUMENTS, read once: an installation's documents do not change while it runs."""
    text = (settings.ASSETS / "docs" / f"{name}.md").read_text(encoding="utf-8")
    tokens = MARKDOWN.parse(RECORDS.sub("", text))
    title = _text(tokens[1])  # a document begins with its only heading of level 1
    tokens = tokens[3:]
    for token in tokens:
        if token.children:
            token.children = _with_links_within(token.children)
    entries = _entries(name, title, tokens)
    html: str = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    return HelpDocument(name, title, mark_safe(html), entries)  # noqa: S308 - HTML in it stays text


def anchor(term: str) -> str:
    """The address of a term within its document: pass@k → pass-k."""
    return slugify(re.sub(r"[@/]", " ", term))


@cache
def terms() -> dict[str, HelpEntry]:
    """Anchor → the glossary's entry."""
    return {entry.anchor: entry for entry in document("glossary").entries if not entry.level}


def search(words: Sequence[str]) -> list[HelpEntry]:
    """Entries that hold every word; those whose title does come first."""
    wanted = [word.casefold() for word in words]
    every = [entry for name in DOCUMENTS for entry in document(name).entries]
    fit = [one for one in every if all(word in f"{one.title} {one.text}".casefold() for word in wanted)]
    return sorted(fit, key=lambda one: not all(word in one.title.casefold() for word in wanted))


def _text(inline: Token) -> str:
    return "".join(" " if one.type == "softbreak" else one.content for one in inline.children or ())


def _with_links_within(children: Sequence[Token]) -> list[Token]:
    """Links to another document of the help lead there; those to files that are not in it become their text."""
    kept: list[Token] = []
    dropped = False
    for token in children:
        if token.type == "link_open":
            target = str(token.attrs["href"])
            path, _, place = target.partition("#")
            name = path.removesuffix(".md")
            dropped = not (name in DOCUMENTS or "://" in target or not path)
            if name in DOCUMENTS:
                token.attrs["href"] = reverse("help_page", args=[name]) + (f"#{place}" if place else "")
        if not (dropped and token.type in ("link_open", "link_close")):
            kept.append(token)
    return kept


def _entries(name: str, title: str, tokens: Sequence[Token]) -> list[HelpEntry]:
    """Marks headings and rows with their ids; returns what stands under each."""
    found: list[tuple[str, str, int]] = [("", title, 1)]
    texts: list[list[str]] = [[]]
    used: set[str] = set()
    section, row, in_body = 0, None, False

    def begin(token: Token, entry: str, level: int) -> int:
        made = base = anchor(entry) or f"part-{len(found)}"
        number = 1
        while made in used:
            number += 1
            made = f"{base}-{number}"
        used.add(made)
        token.attrSet("id", made)
        found.append((made, entry, level))
        texts.append([])
        return len(found) - 1

    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            section = begin(token, _text(tokens[place + 1]), int(token.tag[1]))
        elif token.type in ("tbody_open", "tbody_close"):
            in_body = token.type == "tbody_open"
        elif token.type == "tr_open" and in_body and name in WITH_TERMS:
            row = begin(token, _text(tokens[place + 2]), 0)
        elif token.type == "tr_close":
            row = None
        elif token.type in ("inline", "fence"):
            of = section if row is None else row
            said = _text(token) if token.type == "inline" else token.content
            if said != found[of][1]:
                texts[of].append(said)
    return [
        HelpEntry(name, made, entry, " ".join(" ".join(said).split()), level)
        for (made, entry, level), said in zip(found, texts, strict=True)
    ]
