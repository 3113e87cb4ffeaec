"""What requests and answers look like: the service's contract, from which /api/v1/openapi.json is made.

Shares and probabilities are 0 to 1. Boxes are [x, y, width, height], in pixels of the picture or canvas as it was
given, from its upper left corner. Pictures within answers are PNG files as "data:" addresses.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

DEFAULT_COVERAGE, DEFAULT_TOP, MOST_TOP = 0.95, 4, 20

_Number = Annotated[float, Field(ge=-1e13, le=1e13, allow_inf_nan=False)]  # coordinates are clipped to ±100,000
_Size = Annotated[float, Field(ge=0.5, le=2_000, allow_inf_nan=False)]
Label = Annotated[str, Field(min_length=1, max_length=40)]
AlphabetName = Annotated[str, Field(min_length=1, max_length=60)]
Coverage = Annotated[float, Field(gt=0, lt=1)]
Only = Annotated[str, Field(max_length=500)]
ModelId = Annotated[str, Field(max_length=300)]
Box = tuple[float, float, float, float]


class _OneMistake:
    """Of a long list, the first mistake is described alone: a hundred thousand take seconds, in which all else waits.

    As pydantic's `FailFast`, which stands in no union before Python 3.12; before pydantic 2.8 without effect.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return {**schema, "fail_fast": True} if hasattr(pydantic, "FailFast") else schema


class Request(BaseModel):
    """Fields that are not known are refused: a setting without effect would be a mistake that nobody sees."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Why there is no answer: a word for programs, a sentence, and what helps."""

    code: str
    message: str
    cure: str


class Failure(BaseModel):
    """The body of every answer that is an error."""

    error: Problem


# ---- service ---------------------------------------------------------------------------------------------


class Health(BaseModel):
    """The service is there. models_loaded: in memory, ready to answer."""

    status: Literal["ok"] = "ok"
    version: str
    models_loaded: int


class ModelOffer(BaseModel):
    """A model that can be chosen. figures: as measured when it was made. data: what it learned from."""

    id: str
    name: str
    kind: Literal["shipped", "run", "taught"]
    class_names: list[str]
    figures: dict[str, Any]
    data: str
    default: bool


class Models(BaseModel):
    """All models at hand, shipped ones first."""

    models: list[ModelOffer]


# ---- drawing ---------------------------------------------------------------------------------------------


class StrokeIn(Request):
    """One movement of the pen.

    points: each [x, y], [x, y, pressure] or [x, y, pressure, milliseconds]. size: of the brush, in the same pixels.
    erases: takes ink away.
    """

    points: Annotated[list[Annotated[list[_Number], Field(min_length=2, max_length=4)]], _OneMistake()]
    size: _Size = 16.0
    erases: bool = False


Strokes = Annotated[list[StrokeIn], _OneMistake()]


class Drawn(Request):
    """A drawing. width, height: of the canvas, in the pixels of the points."""

    width: float = Field(default=300, gt=0, le=100_000)
    height: float = Field(default=300, gt=0, le=100_000)
    strokes: Strokes


class StrokesQuestion(Drawn):
    """Which character a drawing shows.

    model: an id of /models; default: the service's. only: what may be answered, such as "0-9". coverage: of the set.
    top: how many runners-up. line: whether to read several characters side by side; "auto": where free columns part
    them.
    """

    model: ModelId | None = None
    only: Only | None = None
    coverage: Coverage = DEFAULT_COVERAGE
    top: Annotated[int, Field(ge=0, le=MOST_TOP)] = DEFAULT_TOP
    line: Literal["auto"] | bool = "auto"


class Alternative(BaseModel):
    """A runner-up."""

    character: str
    probability: float


class Answer(BaseModel):
    """Which character a picture shows.

    probability: calibrated. sure: the set holds this character alone, and it is more probable than not. set: the
    characters that cannot be ruled out at the coverage asked for, the most probable first. alternatives: the next ones.
    glyph: what the network was shown. Of a blank picture, blank is true and the rest empty.
    """

    model: str
    blank: bool
    character: str | None = None
    probability: float | None = None
    sure: bool = False
    set: list[str] = []
    alternatives: list[Alternative] = []
    glyph: str | None = None
    milliseconds: float


class LineCharacter(BaseModel):
    """A character of a line that was drawn."""

    character: str
    probability: float
    set: list[str]
    box: Box


class DrawnLine(BaseModel):
    """Several characters that stand side by side."""

    text: str
    characters: list[LineCharacter]


class StrokesAnswer(Answer):
    """The same for a drawing; line: where several characters were found."""

    line: DrawnLine | None = None


class Answers(BaseModel):
    """One answer a picture, in their order; an error for one that cannot be used."""

    answers: list[Answer | Failure]


# ---- reading ---------------------------------------------------------------------------------------------


class PageCharacter(BaseModel):
    """A character on a page."""

    character: str
    probability: float
    box: Box
    alternatives: list[Alternative]
    set: list[str]
    sure: bool


class PageWord(BaseModel):
    """Characters without a space between them."""

    text: str
    box: Box
    characters: list[PageCharacter]


class PageLine(BaseModel):
    """Words from left to right."""

    text: str
    box: Box
    words: list[PageWord]


class PageText(BaseModel):
    """What is written on a page, in reading order. width, height: of the picture as it was sent, upright."""

    model: str
    text: str
    lines: list[PageLine]
    width: int
    height: int
    skew_degrees: float
    milliseconds: float


# ---- looking inside --------------------------------------------------------------------------------------


class Picture(BaseModel):
    """A picture with its title; png: as a "data:" address."""

    title: str
    png: str


class Explanation(BaseModel):
    """What a network does with a glyph, in pictures."""

    model: str
    character: str
    images: list[Picture]


# ---- samples and teaching --------------------------------------------------------------------------------


class SampleSaved(BaseModel):
    """A drawing that was kept."""

    id: str
    alphabet: str
    label: str


class ClassSamples(BaseModel):
    """The drawings of one character."""

    label: str
    count: int
    ids: list[str]


class AlphabetSamples(BaseModel):
    """The drawings of an alphabet, character by character."""

    alphabet: str
    classes: list[ClassSamples]


class ClassCount(BaseModel):
    """How many drawings there are of a character."""

    label: str
    count: int


class AlphabetNamed(Request):
    """A new alphabet, or further characters for one. classes: in the order in which they are shown."""

    name: AlphabetName
    classes: list[Label] = Field(default=[], max_length=500)


class Alphabet(BaseModel):
    """An alphabet that is taught. model: the newest one that learned it; job: the teaching last asked for."""

    name: str
    classes: list[ClassCount]
    samples: int
    model: str | None
    job: str | None


class Alphabets(BaseModel):
    """All alphabets."""

    alphabets: list[Alphabet]


class AlphabetRenamed(Request):
    """Another name for an alphabet."""

    name: AlphabetName


class RemovedThing(Request):
    """What was deleted, by an id under which it can be brought back for 30 days."""

    removed: Annotated[str, Field(min_length=1, max_length=64)]


class TeachOrder(Request):
    """Teach an alphabet. base: the model to begin with. add: its own characters stay beside the new ones."""

    alphabet: AlphabetName
    base: ModelId | None = None
    add: bool = False


class TeachStarted(BaseModel):
    """The job under which teaching can be watched."""

    job: str


class CrossValidated(BaseModel):
    """Accuracy on pictures that were not learned from: mean, standard deviation and value of each fold."""

    mean: float
    spread: float
    folds: list[float]


class TeachState(BaseModel):
    """How far teaching is. model: the id of what came out. ways: what was tried, as `glyphlab transfer` tells it."""

    job: str
    alphabet: str
    base: str
    add: bool
    state: Literal["waiting", "running", "done", "failed"]
    progress: float
    message: str
    accuracy: CrossValidated | None = None
    ways: list[dict[str, Any]] = []
    way: str | None = None
    model: str | None = None
    seconds: float | None = None


# ---- runs ------------------------------------------------------------------------------------------------


class RunEntry(BaseModel):
    """A run, as `glyphlab runs` lists it. model: its id, where it holds a model file. labels: parts of its data whose
    labels were searched."""

    name: str
    status: str
    data: str | None
    recipe: str | None
    network: str | None
    epochs: int | None
    validation: float | None
    test: float | None
    parameters: int | None
    time_seconds: float | None
    started: str | None
    problem: str
    report: bool
    labels: list[str]
    model: str | None


class SearchEntry(BaseModel):
    """A search in the labels of a data set for which there is no run."""

    name: str
    data: str


class Runs(BaseModel):
    """All runs, newest first, and all searches."""

    runs: list[RunEntry]
    searches: list[SearchEntry]


class RunModel(BaseModel):
    """The id under which a run's model can be chosen."""

    model: str | None


class TableOf(BaseModel):
    """Rows of text; the first cell of each names it."""

    header: list[str]
    rows: list[list[str]]


class RunsCompared(BaseModel):
    """Two runs on the same images. words: the test between them, in a sentence. summary: all figures."""

    a: str
    b: str
    words: list[str]
    figures: TableOf
    settings: TableOf
    images: list[Picture]
    summary: dict[str, Any]


class Decision(Request):
    """What shall become of a label: keep it, replace it by `label`, or leave the image out."""

    action: Literal["keep", "relabel", "discard"]
    label: Label | None = None


class SuspiciousLabel(BaseModel):
    """An image whose label is in doubt. self_confidence: what networks that never saw it give its label."""

    id: str
    index: int
    given: str
    suggested: str
    self_confidence: float
    png: str
    decision: Decision | None


class SuspiciousLabels(BaseModel):
    """A part of the list, the most suspicious first. total, decided: of the whole list. apply: the command that makes
    the corrected set."""

    run: str
    apply: str
    split: Literal["train", "test"]
    class_names: list[str]
    total: int
    decided: int
    offset: int
    labels: list[SuspiciousLabel]


class Decided(BaseModel):
    """How many of the suspicious labels have been decided on."""

    decided: int
