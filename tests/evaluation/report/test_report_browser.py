"""The report in a real browser: what it shows, what it opens, and that nothing leaves it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

TELEPHONE = {"width": 360, "height": 740}


class Watched:
    """A page that remembers whatever must not happen: messages, errors, dialogs, requests."""

    def __init__(self, browser: Any, written: Any, **options: Any) -> None:
        self.context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.trouble: list[str] = []
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.trouble.append(dialog.message), dialog.dismiss()))
        self.page.on("request", self._on_request)
        self.address = written.path.as_uri()
        self.page.goto(self.address)

    def _on_request(self, request: Any) -> None:
        if request.url != self.address and not request.url.startswith("data:"):
            self.trouble.append(request.url)


@pytest.fixture
def watched(chromium: Any, written: Any, request: pytest.FixtureRequest) -> Iterator[Watched]:
    page = Watched(chromium, written, **getattr(request, "param", {}))
    yield page
    page.context.close()
    assert page.trouble == []


def image_ids(page: Any) -> list[str]:
    """The images that the viewer shows, by their names in the data set."""
    labels = page.eval_on_selector_all("#viewer-tiles .tile", "tiles => tiles.map(t => t.getAttribute('aria-label'))")
    return [label.removeprefix("image ").partition(": true ")[0] for label in labels]


def test_every_cell_opens_exactly_its_images(watched: Watched, written: Any) -> None:
    page, evaluation = watched.page, written.evaluation
    buttons = page.locator("#matrix button")
    assert buttons.count() == np.count_nonzero(evaluation.confusion)
    for place in range(buttons.count()):
        button = buttons.nth(place)
        truth, prediction = int(button.get_attribute("data-t")), int(button.get_attribute("data-p"))
        button.click()
        members = np.flatnonzero((evaluation.targets == truth) & (evaluation.predictions == prediction))
        assert sorted(image_ids(page)) == sorted(written.glyphs.id_of(int(index)) for index in members)
        names = evaluation.class_names
        title = f"{names[truth]} recognised" if truth == prediction else f"{names[truth]} read as {names[prediction]}"
        assert page.locator("#viewer-title").inner_text().startswith(title)
        page.keyboard.press("Escape")
        assert not page.locator("#viewer").is_visible()


@pytest.mark.parametrize("watched", [{"color_scheme": "dark"}, {"color_scheme": "light"}], indirect=True)
def test_a_tile_shows_the_pixels_of_its_image(watched: Watched, written: Any) -> None:
    """Each pixel of the glyph is four dots wide; in light surroundings ink and paper change places."""
    page, evaluation = watched.page, written.evaluation
    light = page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
    page.evaluate("document.getElementById('viewer-tiles').style.setProperty('--s', '48px')")
    truth, prediction = (int(value) for value in np.argwhere(evaluation.confusion > 0)[-2])
    page.locator(f'#matrix button[data-t="{truth}"][data-p="{prediction}"]').click()
    names = image_ids(page)
    for place in (0, len(names) - 1):
        picture = page.locator("#viewer-tiles .tile .g").nth(place).screenshot()
        dots = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), dtype=np.int64)
        pixels = dots[2:48:4, 2:48:4]
        index = next(i for i in range(len(written.glyphs)) if written.glyphs.id_of(i) == names[place])
        expected = written.glyphs.images[index].astype(np.int64)
        assert np.abs(pixels - (255 - expected if light else expected)).max() <= 3


def test_the_keyboard_goes_everywhere(watched: Watched, written: Any) -> None:
    page, evaluation = watched.page, written.evaluation
    first = page.locator("#matrix button").first
    first.focus()
    assert page.locator('#matrix button[tabindex="0"]').count() == 1
    truth = int(first.get_attribute("data-t"))
    page.keyboard.press("ArrowDown")
    below = page.evaluate("[document.activeElement.dataset.t, document.activeElement.dataset.p].map(Number)")
    assert below[0] > truth and evaluation.confusion[below[0], below[1]] > 0
    page.keyboard.press("Enter")
    assert page.locator("#viewer").is_visible() and len(image_ids(page)) == evaluation.confusion[below[0], below[1]]
    before = page.locator("#viewer-detail strong").inner_text()
    if evaluation.confusion[below[0], below[1]] > 1:
        page.keyboard.press("ArrowRight")
        assert page.locator("#viewer-detail strong").inner_text() != before
    page.keyboard.press("Escape")
    assert page.evaluate("[document.activeElement.dataset.t, document.activeElement.dataset.p].map(Number)") == below


def test_the_gallery_filters_mistakes(watched: Watched, written: Any) -> None:
    page, evaluation = watched.page, written.evaluation
    assert page.locator("#gallery .tile").count() == len(evaluation.mistakes)
    truth = int(evaluation.targets[evaluation.mistakes[0]])
    page.locator("#filters select[name=truth]").select_option(str(truth))
    page.locator("#filters input[name=least]").fill("40")
    wrong = ~evaluation.is_correct & (evaluation.targets == truth) & (np.rint(evaluation.confidences * 1e4) >= 4000)
    assert page.locator("#gallery .tile").count() == np.count_nonzero(wrong) > 0
    assert page.locator("#gallery-count").inner_text().startswith(f"{np.count_nonzero(wrong)} mistake")
    page.locator("#filters button[type=reset]").click()
    playwright.expect(page.locator("#gallery .tile")).to_have_count(len(evaluation.mistakes))
    page.locator("#gallery .tile").first.click()
    assert written.glyphs.id_of(int(evaluation.mistakes[0])) in page.locator("#viewer-detail strong").inner_text()
    assert page.locator("#viewer-detail .near .g").count() == 6  # three training images of each of the two classes


def test_the_class_table_sorts(watched: Watched, written: Any) -> None:
    page = watched.page
    page.locator("#class-table th button", has_text="Recall").click()
    shown = page.eval_on_selector_all("#class-table tbody tr", "rows => rows.map(r => Number(r.cells[3].dataset.v))")
    assert shown == pytest.approx(sorted(written.evaluation.per_class.recall))
    page.locator("#class-table th button", has_text="Recall").click()
    assert page.locator("#class-table th[aria-sort=descending]").count() == 1


def test_percent_instead_of_numbers(watched: Watched, written: Any) -> None:
    page, confusion = watched.page, written.evaluation.confusion
    page.locator("#matrix-unit").click()
    cell = page.locator('#matrix button[data-t="0"][data-p="0"]')
    assert cell.inner_text() == f"{100 * confusion[0, 0] / confusion[0].sum():.0f}"
    page.locator("#matrix-unit").click()
    assert cell.inner_text() == str(confusion[0, 0])


def test_the_map_opens_the_image_that_is_pointed_at(watched: Watched) -> None:
    page = watched.page
    page.locator("#map").scroll_into_view_if_needed()
    place = page.evaluate(
        """() => {
          const data = JSON.parse(document.getElementById('data').textContent);
          const svg = document.querySelector('#map svg');
          const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
          const x = box.left + data.map.x[0] / view.width * box.width;
          const y = box.top + data.map.y[0] / view.height * box.height;
          return [x, y, data.id[data.map.at[0]]];
        }"""
    )
    page.mouse.move(place[0], place[1])
    assert page.locator(".peek .g").is_visible()
    page.mouse.click(place[0], place[1])
    assert image_ids(page) == [place[2]]


@pytest.mark.parametrize(
    "watched",
    [
        {"viewport": {"width": 360, "height": 740}},
        {"viewport": {"width": 360, "height": 740}, "java_script_enabled": False},
    ],
    indirect=True,
)
def test_a_telephone_needs_no_sideways_scrolling_nor_script(watched: Watched, written: Any) -> None:
    page = watched.page
    wide = page.locator("html").bounding_box()["width"]
    assert wide == 360
    for part in page.locator("section, nav, header.top").all():
        assert part.bounding_box()["width"] <= 360
    assert page.locator("#gallery .tile").count() == min(len(written.evaluation.mistakes), 60)
    assert f"{100 * written.evaluation.accuracy:.2f}" in page.locator(".figures").inner_text()


def test_it_prints(watched: Watched) -> None:
    watched.page.emulate_media(media="print")
    assert not watched.page.locator("nav").is_visible() and not watched.page.locator("#filters").is_visible()
    assert len(watched.page.pdf()) > 10_000
