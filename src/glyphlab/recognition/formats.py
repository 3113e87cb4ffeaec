"""Pages that were read, as other programs take them: text, JSON, TSV, hOCR, ALTO.

All places are pixels of the page as it was given, from its upper left corner.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from glyphlab import __version__
from glyphlab.imaging.box import Box
from glyphlab.recognition.reader import Line, Page, Word

# A page with the name under which it was given.
Named = tuple[str, Page]

_TSV_COLUMNS = (
    *("level", "page_num", "block_num", "par_num", "line_num", "word_num"),
    *("left", "top", "width", "height", "conf", "text"),
)


def as_text(pages: Sequence[Named]) -> str:
    """The lines of all pages; between two pages a form feed, as printers and other OCR programs have it."""
    return "\f".join(page.text + "\n" if page.lines else "" for _, page in pages)


def as_json(pages: Sequence[Named], errors: Sequence[str] | None = None) -> str:
    """One JSON document: ``{"pages": [{"file", "text", "width", "height", "skew_degrees", "lines": [...]}]}``.

    A line holds "text", "box" and "words", a word the same with "probability" and "characters", a character "text",
    "box", "probability" and "alternatives". A box is [left, top, right, bottom]. errors: what was wrong with other
    pages, the document's "errors"; None: there were none besides.
    """
    document: dict[str, Any] = {"pages": [_page_json(name, page) for name, page in pages]}
    if errors is not None:
        document["errors"] = list(errors)
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_tsv(pages: Sequence[Named]) -> str:
    """The table that tesseract writes: a header, then a row for each page (level 1), block, paragraph, line and word.

    conf: a word's confidence, 0 to 100; -1 for the other levels.
    """
    rows = ["\t".join(_TSV_COLUMNS)]
    for page_number, (_, page) in enumerate(pages, start=1):
        whole = Box(0, 0, page.width, page.height)
        rows.append(_tsv_row(1, (page_number, 0, 0, 0, 0), whole))
        if not page.lines:
            continue
        rows.append(_tsv_row(2, (page_number, 1, 0, 0, 0), page.box))
        rows.append(_tsv_row(3, (page_number, 1, 1, 0, 0), page.box))
        for line_number, line in enumerate(page.lines, start=1):
            rows.append(_tsv_row(4, (page_number, 1, 1, line_number, 0), line.box))
            for word_number, word in enumerate(line.words, start=1):
                place = (page_number, 1, 1, line_number, word_number)
                rows.append(_tsv_row(5, place, word.box, f"{100 * word.probability:.6f}", word.text))
    return "\n".join(rows) + "\n"


def as_hocr(pages: Sequence[Named]) -> str:
    """One hOCR 1.2 document: an HTML page whose titles carry boxes and confidences (0 to 100).

    Source: T. Breuel, "The hOCR microformat for OCR workflow and results", ICDAR 2007; specification 1.2, 2020.
    """
    body = "\n".join(_hocr_page(number, name, page) for number, (name, page) in enumerate(pages, start=1))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title></title>
  <meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
  <meta name="ocr-system" content="glyphlab {__version__}"/>
  <meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrx_cinfo"/>
 </head>
 <body>
{body}
 </body>
</html>
"""


def as_alto(pages: Sequence[Named]) -> str:
    """One ALTO 4.2 document (Library of Congress), with glyphs and their variants.

    The file's name stands in the description where there is one page; pages are numbered in the order given.
    """
    source = ""
    if len(pages) == 1:
        source = f"\n    <sourceImageInformation><fileName>{_text(pages[0][0])}</fileName></sourceImageInformation>"
    layout = "\n".join(_alto_page(number, page) for number, (_, page) in enumerate(pages, start=1))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.loc.gov/standards/alto/ns-v4# http://www.loc.gov/standards/alto/v4/alto-4-2.xsd">
  <Description>
    <MeasurementUnit>pixel</MeasurementUnit>{source}
    <Processing ID="OCR_1">
      <processingCategory>contentGeneration</processingCategory>
      <processingSoftware>
        <softwareName>glyphlab</softwareName>
        <softwareVersion>{__version__}</softwareVersion>
      </processingSoftware>
    </Processing>
  </Description>
  <Layout>
{layout}
  </Layout>
</alto>
"""


WRITERS: dict[str, Callable[[Sequence[Named]], str]] = {
    "text": as_text,
    "json": as_json,
    "tsv": as_tsv,
    "hocr": as_hocr,
    "alto": as_alto,
}


def _page_json(name: str, page: Page) -> dict[str, Any]:
    return {
        "file": name,
        "text": page.text,
        "width": page.width,
        "height": page.height,
        "skew_degrees": round(page.skew_degrees, 2),
        "lines": [_line_json(line) for line in page.lines],
    }


def _line_json(line: Line) -> dict[str, Any]:
    return {"text": line.text, "box": _corners(line.box), "words": [_word_json(word) for word in line.words]}


def _word_json(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "box": _corners(word.box),
        "probability": round(word.probability, 6),
        "characters": [
            {
                "text": character.text,
                "box": _corners(character.box),
                "probability": round(character.probability, 6),
                "alternatives": [[text, round(probability, 6)] for text, probability in character.alternatives],
            }
            for character in word.characters
        ],
    }


def _corners(box: Box) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]


def _tsv_row(level: int, place: tuple[int, ...], box: Box, confidence: str = "-1", text: str = "") -> str:
    return "\t".join(map(str, (level, *place, box.left, box.top, box.width, box.height, confidence, text)))


def _text(text: str) -> str:
    """Text for XML; characters that XML 1.0 forbids, which a file name may hold, become question marks."""
    return escape("".join(char if char in "\t\n\r" or ord(char) >= 32 else "?" for char in text))


def _bbox(box: Box) -> str:
    return f"bbox {_corners_text(box)}"


def _corners_text(box: Box) -> str:
    return " ".join(map(str, _corners(box)))


def _hocr_page(number: int, name: str, page: Page) -> str:
    title = f'image "{_quotable(name)}"; {_bbox(Box(0, 0, page.width, page.height))}; ppageno {number - 1}'
    rows = [f'  <div class="ocr_page" id="page_{number}" title={quoteattr(_plain(title))}>']
    if page.lines:
        rows.append(f'   <div class="ocr_carea" id="block_{number}_1" title="{_bbox(page.box)}">')
        rows.append(f'    <p class="ocr_par" id="par_{number}_1" lang="und" title="{_bbox(page.box)}">')
        word_number = 0
        for line_number, line in enumerate(page.lines, start=1):
            rows.append(f'     <span class="ocr_line" id="line_{number}_{line_number}" title="{_bbox(line.box)}">')
            for word in line.words:
                word_number += 1
                rows.append(_hocr_word(f"{number}_{word_number}", word))
            rows.append("     </span>")
        rows += ["    </p>", "   </div>"]
    return "\n".join([*rows, "  </div>"])


def _hocr_word(number: str, word: Word) -> str:
    characters = "".join(
        f'<span class="ocrx_cinfo" title="x_bboxes {_corners_text(character.box)}; '
        f'x_conf {100 * character.probability:.2f}">{_text(character.text)}</span>'
        for character in word.characters
    )
    confidence = round(100 * word.probability)
    return (
        f'      <span class="ocrx_word" id="word_{number}" title="{_bbox(word.box)}; x_wconf {confidence}">'
        f"{characters}</span>"
    )


def _quotable(name: str) -> str:
    """A name as the value of a property. hOCR has no escapes: what would end the value becomes a question mark."""
    return name.replace('"', "?").replace(";", "?")


def _plain(text: str) -> str:
    return "".join(char if ord(char) >= 32 else "?" for char in text)


def _alto_page(number: int, page: Page) -> str:
    rows = [
        f'    <Page ID="page_{number}" PHYSICAL_IMG_NR="{number}" WIDTH="{page.width}" HEIGHT="{page.height}">',
        f'      <PrintSpace HPOS="0" VPOS="0" WIDTH="{page.width}" HEIGHT="{page.height}">',
    ]
    if page.lines:
        rows.append(f'        <TextBlock ID="block_{number}_1" {_alto_box(page.box)}>')
        for line_number, line in enumerate(page.lines, start=1):
            rows.append(f'          <TextLine ID="line_{number}_{line_number}" {_alto_box(line.box)}>')
            rows += _alto_words(f"{number}_{line_number}", line)
            rows.append("          </TextLine>")
        rows.append("        </TextBlock>")
    return "\n".join([*rows, "      </PrintSpace>", "    </Page>"])


def _alto_words(line_id: str, line: Line) -> Iterator[str]:
    previous: Word | None = None
    for number, word in enumerate(line.words, start=1):
        if previous is not None:
            left = min(previous.box.right, word.box.left)
            width = max(word.box.left - previous.box.right, 0)
            yield f'            <SP HPOS="{left}" VPOS="{line.box.top}" WIDTH="{width}"/>'
        content = quoteattr(word.text)
        yield (
            f'            <String ID="string_{line_id}_{number}" {_alto_box(word.box)} '
            f'CONTENT={content} WC="{word.probability:.4f}">'
        )
        for character in word.characters:
            yield (
                f"              <Glyph {_alto_box(character.box)} CONTENT={quoteattr(character.text)} "
                f'GC="{character.probability:.4f}">'
            )
            for text, probability in character.alternatives:
                yield f'                <Variant CONTENT={quoteattr(text)} VC="{probability:.4f}"/>'
            yield "              </Glyph>"
        yield "            </String>"
        previous = word


def _alto_box(box: Box) -> str:
    return f'HPOS="{box.left}" VPOS="{box.top}" WIDTH="{box.width}" HEIGHT="{box.height}"'
