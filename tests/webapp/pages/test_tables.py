"""One description of a column gives a program its value, a file its text, and a page its cell."""

import re
from types import SimpleNamespace

from django.template import Context, Template

from webapp.files.number_text import percent
from webapp.files.table import Column, Sheet, View

LINK = "/stages/{0.stage}/".format
COLUMNS = (
    Column("stage", "text", "Stage", link=LINK),
    Column("rate", "number", "a<b", percent, note="{0.count}/8".format, unit="%", swatch=2, css="condition"),
    Column("delta", "number", "Δ", "{:+.1f}".format, "pair.delta", group="b − a", element="strong"),
    Column("word", "text", "Word", value="pair.word", group="b − a"),
    Column("code_version", "text"),
)
PAIR = SimpleNamespace(delta=0.25, word="<i>")
ROWS = [
    SimpleNamespace(stage="grpo", rate=0.5, count=4, pair=PAIR, code_version="1"),
    SimpleNamespace(stage="sft", rate=None, count=0, pair=None, code_version="1"),
]
SHEET = Sheet("some", "Some", COLUMNS, ROWS)


def drawn(view: View, options: str) -> str:
    html = Template(f"{{% load tables %}}{{% table view {options} %}}").render(Context({"view": view}))
    return re.sub(r">\s+", ">", re.sub(r"\s+</", "</", html))


def test_programs_get_values_and_people_texts() -> None:
    assert SHEET.records()[0] == {
        "stage": "grpo", "rate": 0.5, "delta": 0.25, "word": "<i>", "code_version": "1",
    }  # fmt: skip
    assert SHEET.records()[1]["delta"] is None, "a path goes through what is not known"
    assert SHEET.grid.header == ["Stage", "a<b", "Δ", "Word"]
    assert SHEET.grid.lines == [["grpo", "50.0\u00a0% (4/8)", "+0.2", "<i>"], ["sft", "–", "–", "–"]]
    assert [SHEET.grid.is_words(place) for place in range(4)] == [True, False, False, True]


def test_a_page_has_headings_links_and_notes() -> None:
    html = drawn(SHEET.page_view, 'id="some-table" title="some-title"')
    assert 'role="group" aria-labelledby="some-title"' in html and 'id="some-table"' in html
    assert '<th scope="col" rowspan="2">Stage</th>' in html
    assert '<span class="swatch" data-condition="2"></span>a&lt;b, %' in html
    assert '<th scope="colgroup" colspan="2" class="condition spanning">b − a</th>' in html
    assert '<th scope="row"><a href="/stages/grpo/">grpo</a></th>' in html
    assert '<td class="condition">50.0 <span class="small muted">4/8</span></td>' in html
    assert "<td><strong>+0.2</strong></td>" in html
    assert '<td class="text">&lt;i&gt;</td>' in html
    assert '<td class="condition">–</td>' in html


def test_as_text_it_is_what_files_have() -> None:
    html = drawn(SHEET.view, 'caption="As in a file" label="As in a file" as_text=True')
    assert "<caption>As in a file</caption>" in html and 'aria-label="As in a file"' in html
    assert "swatch" not in html and "<a " not in html and "colgroup" not in html
    assert "<td>50.0\u00a0% (4/8)</td>" in html
