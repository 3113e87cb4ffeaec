"""Text that matplotlib can draw."""

from __future__ import annotations


def drawable(text: str) -> str:
    """`text` as matplotlib can draw it: characters its font lacks as their code point, dollars as dollars."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties())).get_charmap()
    shown = (c if c == "\n" or ord(c) in known else f"U+{ord(c):04X}" for c in text)
    return "".join(shown).replace("$", r"\$")
