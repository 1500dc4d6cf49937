"""Data folders as they go wrong: every data set that a recipe reads, small, with one fault in each of its files."""

import codecs
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Line = dict[str, Any]
FOLDER, PIPE, LOOP = b"a folder", b"a pipe", b"a link to itself"  # instead of a file's content
GSM8K = [
    {
        "question": f"Mia has {n} bags of 3 pens. How many pens — in the café?",
        "answer": f"{n} × 3 = {3 * n}\n#### {3 * n}",
    }
    for n in range(2, 26)
]
SVAMP = [
    {
        "ID": f"chal-{n}",
        "Body": f"Dan had {n} cafés and sold 1",
        "Question": "How many are left?",
        "Equation": f"( {n}.0 - 1.0 )",
        "Answer": n - 1.0,
        "Type": "Subtraction",
    }
    for n in range(2, 26)
]
HELLASWAG = [
    {
        "ind": n,
        "ctx": "A café",
        "endings": ["is.", "was.", "will be."],
        "label": n % 3,
        "source_id": "wikihow~1",
    }
    for n in range(24)
]
TINYGSM = [
    {"question": f"{n} × 3 — é?", "code": f"def f():\n    x = {n} * 3\n    return x\n"} for n in range(2, 26)
]
TULU = [
    {"messages": [{"role": "user", "content": f"Say {n} — é"}, {"role": "assistant", "content": str(n)}]}
    for n in range(24)
]
TEXTS = [{"text": f"Text {n}: é."} for n in range(24)]
ROWS = {
    "gsm8k/train.jsonl": GSM8K,
    "gsm8k/test.jsonl": GSM8K,
    "svamp/SVAMP.json": SVAMP,
    "hellaswag/hellaswag_val.jsonl": HELLASWAG,
    "tinygsm/train.jsonl": TINYGSM,
    "tulu/train.jsonl": TULU,
    "fineweb_edu/train.jsonl": TEXTS,
    "open_web_math/train.jsonl": TEXTS,
    "proof_pile/train.jsonl": TEXTS,
}
DECIDING = {  # the column whose value a fault changes
    "gsm8k": "answer",
    "svamp": "Answer",
    "hellaswag": "label",
    "tinygsm": "question",
    "tulu": "messages",
    "fineweb_edu": "text",
    "open_web_math": "text",
    "proof_pile": "text",
}


def sound(folder: Path) -> None:
    """Write every data set without a fault."""
    _write(folder, _text)


def _write(folder: Path, encode: Callable[[str, list[Line]], bytes]) -> None:
    if not (folder / "gpt2").exists():  # sound: a recipe wants it too
        folder.mkdir(exist_ok=True)
        (folder / "gpt2").symlink_to(Path(__file__).parent / "data" / "gpt2")
    for name, rows in ROWS.items():
        content = encode(name, rows)
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is FOLDER:
            file.mkdir()
        elif content is PIPE:
            os.mkfifo(file)
        elif content is LOOP:
            file.symlink_to(file)
        else:
            file.write_bytes(content)


def _text(name: str, rows: list[Any], end: str = "\n", *, ascii: bool = False) -> bytes:
    """As a sound file has it: a list in .json, a row a line elsewhere."""
    if name.endswith(".json"):
        return json.dumps(rows, ensure_ascii=ascii, indent=1).replace("\n", end).encode()
    return "".join(json.dumps(row, ensure_ascii=ascii) + end for row in rows).encode()


def _with_value(value: Any) -> Callable[[str, list[Line]], bytes]:
    """The third row has this value in its deciding column."""

    def encode(name: str, rows: list[Line]) -> bytes:
        key = DECIDING[name.partition("/")[0]]
        changed = [{**row, key: value} if place == 2 else row for place, row in enumerate(rows)]
        return _text(name, changed, ascii=True)

    return encode


def _wrong_keys(name: str, rows: list[Line]) -> bytes:
    return _text(name, [{f"other_{key}": value for key, value in row.items()} for row in rows])


def _array(name: str, rows: list[Line]) -> bytes:
    """A list in .jsonl, and a row a line in .json."""
    if name.endswith(".json"):
        return _text("x.jsonl", rows)
    return _text("x.json", rows)


READ = {  # faults that are read over: the rows are those of the sound files
    "bom": lambda name, rows: codecs.BOM_UTF8 + _text(name, rows),
    "blank_lines": lambda name, rows: b"\n\n" + _text(name, rows).replace(b"}\n", b"}\n\n") + b"\n  \n",
    "crlf": lambda name, rows: _text(name, rows, "\r\n"),
    "no_last_line_end": lambda name, rows: _text(name, rows).rstrip(b"\n"),
}
REFUSED: dict[str, Callable[[str, list[Line]], bytes]] = {
    "empty": lambda name, rows: b"",
    "only_blank_lines": lambda name, rows: b"\n \n\n",
    "cut": lambda name, rows: _text(name, rows[:3])[:-30],
    "array": _array,
    "array_on_one_line": lambda name, rows: json.dumps(
        rows if name.endswith(".jsonl") else {"rows": rows}
    ).encode(),
    "wrong_keys": _wrong_keys,
    "null_value": _with_value(None),
    "list_value": _with_value([]),
    "truth_value": _with_value(True),
    "list_as_row": lambda name, rows: _text(name, [rows[0], [], *rows]),
    "null_as_row": lambda name, rows: _text(name, [None, *rows]),
    "latin_1": lambda name, rows: (
        _text(name, rows).decode().replace("—", "-").replace("×", "x").encode("latin-1")
    ),
    "utf_16": lambda name, rows: _text(name, rows).decode().encode("utf-16"),
    "half_a_character": _with_value("\ud83d #### 4"),
    "nested_deeply": lambda name, rows: b"[" * 100_000,
    "long_number": lambda name, rows: b'{"question": ' + b"1" * 5_000 + b"}",
    "folder": lambda name, rows: FOLDER,
    "pipe": lambda name, rows: PIPE,
    "link_to_itself": lambda name, rows: LOOP,
    "null_byte": lambda name, rows: _text(name, rows).replace("é".encode(), b"\x00"),
    "null_bytes": lambda name, rows: b"\x00" * 4096,  # what a file system leaves after a crash
    "not_a_number": _with_value(float("nan")),
    "html": lambda name, rows: b"<!doctype html>\n<title>404</title>\n",  # what a failed download leaves
}


def write(folder: Path, fault: str) -> None:
    """Write every data set with a fault of READ or REFUSED."""
    _write(folder, (READ | REFUSED)[fault])
