"""The recogniser: one model file that answers for glyphs, pictures, and as many of them as there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ImageError, ModelError
from glyphlab.process import processors
from glyphlab.recognition.alphabet import Alphabet
from glyphlab.recognition.modelfile import DEFAULT_MODEL, INPUT, METADATA_KEY, OUTPUT, ModelInfo, find_model
from glyphlab.recognition.prediction import Prediction, Rule
from glyphlab.runfolder import weights_sha256

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from glyphlab.imaging.picture import PictureSource
    from glyphlab.recognition.preparation import Preparation
    from glyphlab.recognition.reader import Page

_BATCH = 64  # enough for full speed
_MOST_BYTES = 32 * 2**20  # of pictures in a batch, and of those under way: beyond that, fewer will have to do
_MOST_THREADS = 4  # glyphs are small: more threads wait for each other


class Recognizer:
    """A model, ready to answer; get one with `Recognizer.load`.

        recognizer = Recognizer.load()                       # or "digits", or "runs/mnist-fast-1/model.onnx"
        recognizer.predict(["photo.jpg"])[0].character       # "7"

    May be used from several threads at once. Nothing is ever sent anywhere.
    """

    def __init__(self, info: ModelInfo, session: InferenceSession, threads: int) -> None:
        self.info = info
        self._session = session
        self._threads = threads

    @classmethod
    def load(cls, path_or_name: str | Path = DEFAULT_MODEL, *, threads: int | None = None) -> Recognizer:
        """Open a shipped model by name, an .onnx file that `glyphlab export` wrote, or a run folder holding one.

        threads: used for preparing pictures and for the network; default: the processor's, at most 4.
        Raises `ModelError`: unknown name, no such file, not a model, cut short, not one of ours.
        """
        path = find_model(path_or_name)
        threads = threads or min(processors(), _MOST_THREADS)
        session = _open_session(path, threads)
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if text is None:
            raise ModelError(
                f"{path} is an ONNX model without Glyphlab's description (class names, preparation, calibration); "
                "expected a file that 'glyphlab export' wrote"
            )
        try:
            info = ModelInfo.from_json(text)
            _check_interface(session, info)
        except ModelError as error:
            raise ModelError(f"{path} cannot be used: {error}") from error
        if Path(path_or_name).is_dir() and weights_sha256(path.parent) not in (None, info.weights_sha256):
            raise ModelError(
                f"{path} was made of other weights than the run has now; write it anew with: glyphlab export "
                f"{path.parent}, or give the file itself"
            )
        return cls(info, session, threads)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each column of the probabilities stands for."""
        return self.info.class_names

    @property
    def framing(self) -> str | None:
        """How pictures become glyphs: a name in `imaging.glyph.FRAMINGS`; None: fitted in whole."""
        return self.info.framing

    def __repr__(self) -> str:
        return f"<Recognizer of {len(self.class_names)} classes, trained on {self.info.data.get('name', 'unknown')}>"

    def predict_glyphs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Calibrated probabilities of prepared glyphs.

        images: uint8 [N, H, W] or [N, H, W, 3] of the model's size, light ink on black, 0 to 255.
        Returns float32 [N, K], as the network tells them; how many characters a class stands for is weighed by `rule`.
        Raises `ImageError` for another type or shape.
        """
        channels, height, width = self.info.image_shape
        expected = (height, width) if channels == 1 else (height, width, channels)
        if images.dtype != np.uint8 or images.shape[1:] != expected:
            wanted = ", ".join(map(str, expected))
            raise ImageError(f"glyphs are {images.dtype} {list(images.shape)}; expected uint8 [N, {wanted}]")
        probs = np.empty((len(images), len(self.class_names)), dtype=np.float32)
        for start in range(0, len(images), _BATCH):
            batch = np.ascontiguousarray(images[start : start + _BATCH])
            probs[start : start + _BATCH] = self._session.run([OUTPUT], {INPUT: batch})[0]
        return probs

    def rule(
        self,
        *,
        only: str | None = None,
        min_confidence: float = 0.0,
        coverage: float | None = None,
        alternatives: int = 3,
    ) -> Rule:
        """How probabilities of this model become answers; `rule.decide(probs)` gives them.

        only: the characters that may be answered: "0-9", "A-Z", "abc", "digits", "letters", "capitals",
            "lowercase", class names, or several with commas between; default all. They count as equally common, so
            that a class for both cases of a letter counts twice where both may be answered.
        min_confidence: least probability of an answer that counts as certain, 0 to 1.
        coverage: name a set of characters that holds the true one with this probability, such as 0.95; for
            pictures like those the model was calibrated on, the classes being about equally common.
        alternatives: how many runners-up to name.

        Raises `ModelError` for characters that the model does not know, or when it carries no scores for sets;
        `GlyphlabError` for a number out of range.
        """
        alphabet = Alphabet.of(only, self.class_names)
        thresholds = None
        if coverage is not None:
            if self.info.conformal is None:
                raise ModelError("the model carries no scores of validation images; prediction sets need them")
            thresholds = self.info.conformal.at(coverage)
        return Rule(alphabet, min_confidence, thresholds, alternatives)

    def predict(
        self,
        pictures: Iterable[PictureSource],
        *,
        only: str | None = None,
        min_confidence: float = 0.0,
        coverage: float | None = None,
        alternatives: int = 3,
    ) -> list[Prediction]:
        """Answers for pictures of one character each, in their order.

        pictures: paths, uint8 arrays [H, W] or [H, W, 3], or Pillow images, of any size. The rest: see `rule`.
        Raises `ImageError` at the first picture that cannot be used; `predict_many` goes on instead.
        """
        if isinstance(pictures, str | bytes | Path):
            raise ImageError(f"expected several pictures, found one ({str(pictures)[:80]!r}); give it in a list")
        rule = self.rule(only=only, min_confidence=min_confidence, coverage=coverage, alternatives=alternatives)
        answers: list[Prediction] = []
        for _, answer in self.predict_many(pictures, rule):
            if isinstance(answer, ImageError):
                raise answer
            answers.append(answer)
        return answers

    def read(self, page: PictureSource, *, only: str | None = None, context: bool = True, language: str = "en") -> Page:
        """What is written on a page: text, lines, words and characters with their places; see `reader.read`."""
        from glyphlab.recognition.reader import read

        return read(self, page, only=only, context=context, language=language)

    def predict_many(
        self, pictures: Iterable[PictureSource], rule: Rule | None = None, *, prepared: bool = False
    ) -> Iterator[tuple[PictureSource, Prediction | ImageError]]:
        """Each picture with its answer, or with what is wrong with it; in order, as they come.

        Pictures are prepared in threads and judged in batches; no more than some dozens are held at once, of large
        arrays and files in memory a few, so that there may be any number of them. rule: from `rule()`; default: all
        classes. prepared: the pictures are glyphs of the model's size already, light ink on black.
        """
        from glyphlab.recognition.preparation import as_glyph, preparation_of

        prepare: Preparation = (lambda picture: as_glyph(picture, self.info)) if prepared else preparation_of(self.info)
        return self._answers(pictures, prepare, rule or self.rule())

    def _answers(
        self, pictures: Iterable[PictureSource], prepare: Preparation, rule: Rule
    ) -> Iterator[tuple[PictureSource, Prediction | ImageError]]:
        glyphs = _map_in_threads(_catching(prepare), pictures, self._threads)
        while batch := _next_batch(glyphs):
            usable = [glyph for _, glyph in batch if not isinstance(glyph, ImageError)]
            answers = iter(rule.decide(self.predict_glyphs(np.stack(usable))) if usable else ())
            while batch:  # and let go of each: the next batch comes before this name is given to it
                picture, glyph = batch.popleft()
                yield picture, glyph if isinstance(glyph, ImageError) else next(answers)


def _next_batch(
    glyphs: Iterator[tuple[PictureSource, NDArray[np.uint8] | ImageError]],
) -> deque[tuple[PictureSource, NDArray[np.uint8] | ImageError]]:
    """Some pictures with their glyphs, as many as are worth judging and holding at once."""
    batch: deque[tuple[PictureSource, NDArray[np.uint8] | ImageError]] = deque()
    held = 0
    for picture, glyph in glyphs:
        batch.append((picture, glyph))
        held += _bytes_of(picture)
        if len(batch) == _BATCH or held > _MOST_BYTES:
            break
    return batch


def _bytes_of(picture: PictureSource) -> int:
    """What holding a picture takes; next to nothing for a path."""
    if isinstance(picture, bytes):
        return len(picture)
    if isinstance(picture, np.ndarray):
        return picture.nbytes
    return 0 if isinstance(picture, str | Path) else 4 * picture.width * picture.height


def _open_session(path: Path, threads: int) -> InferenceSession:
    import onnxruntime

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait by spinning take the processor from those that prepare pictures, and from other programs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what is wrong is said by the exception
    onnxruntime.disable_telemetry_events()
    try:
        # Bytes rather than a path, so that a model can refer to no other file.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes have no common base of their own
        size = f"{len(content):,} bytes"
        raise ModelError(
            f"{path} ({size}) is not a whole ONNX model: cut short or something else; export it again, or fetch it anew"
        ) from error


def _check_interface(session: InferenceSession, info: ModelInfo) -> None:
    """The graph must take and give what its description says."""
    channels, height, width = info.image_shape
    expected = [height, width] if channels == 1 else [height, width, channels]
    inputs, outputs = session.get_inputs(), session.get_outputs()
    takes = [(node.name, node.type, node.shape[1:]) for node in inputs]
    gives = [(node.name, node.type, node.shape[1:]) for node in outputs]
    if takes != [(INPUT, "tensor(uint8)", expected)] or gives != [(OUTPUT, "tensor(float)", [len(info.class_names)])]:
        raise ModelError(f"it takes {takes} and gives {gives}, unlike its description; export it again")


def _catching(prepare: Preparation) -> Callable[[PictureSource], NDArray[np.uint8] | ImageError]:
    """The same, but an `ImageError` is returned: one bad picture must not stop the others."""

    def guarded(picture: PictureSource) -> NDArray[np.uint8] | ImageError:
        try:
            return prepare(picture)
        except ImageError as error:
            return error

    return guarded


def _map_in_threads(
    function: Callable[[PictureSource], NDArray[np.uint8] | ImageError], pictures: Iterable[PictureSource], threads: int
) -> Iterator[tuple[PictureSource, NDArray[np.uint8] | ImageError]]:
    """`map` in threads, in order; OpenCV and Pillow let threads run at once.

    No more than a batch is under way, and of large pictures no more than keep the threads busy.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    under_way: deque[tuple[PictureSource, Future[NDArray[np.uint8] | ImageError]]] = deque()
    held = 0
    with ThreadPoolExecutor(threads) as pool:
        try:
            for picture in pictures:
                under_way.append((picture, pool.submit(function, picture)))
                held += _bytes_of(picture)
                while len(under_way) > (_BATCH if held <= _MOST_BYTES else threads):
                    done, future = under_way.popleft()
                    held -= _bytes_of(done)
                    yield done, future.result()
            while under_way:
                done, future = under_way.popleft()
                yield done, future.result()
        finally:
            for _, future in under_way:
                future.cancel()
