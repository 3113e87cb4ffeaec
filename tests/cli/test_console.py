from __future__ import annotations

import pytest

from glyphlab.cli import console


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("été 字.png", "été 字.png"),
        ("a\u00a0b\u200d.png", "a\u00a0b\u200d.png"),  # neither is printable to Python, neither does harm
        ("a\n\x1b[31mb\r\t\x7f\x9b", "a\\n\\x1b[31mb\\r\\t\\x7f\\x9b"),
        ("bad\udcff\u2028.png", "bad\\udcff\\u2028.png"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, seen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert console.shown(text) == seen
    console.print_table(("name", "n"), [(text, "1"), ("b", "2")])
    console.complain(f"{text}: no picture")
    console.stdout().print(f"in {text}", markup=False)
    printed = capsys.readouterr()
    _, first, second, in_prose = printed.out.replace("in a\n", "in a\\n").splitlines()
    assert first == f"{seen}  1" and len(second) == len(first)
    assert in_prose == f"in {seen}" and printed.err == f"glyphlab: {seen}: no picture\n"


def test_lines_of_our_own_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console.stdout().print("[bold]one[/]\ntwo")
    assert capsys.readouterr().out == "one\ntwo\n"
