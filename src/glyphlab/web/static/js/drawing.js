// A drawing: strokes, how they came about, and how the eraser cuts them. Nothing here knows of the screen.
//
// A stroke is {points: [[x, y, pressure, milliseconds], ...], size}: x and y in units of a drawing `width` wide and
// `height` high, pressure 0 to 1 (0.5 where a device tells none), time since the drawing's first point, and the
// brush's diameter at pressure 0.5. Strokes are never changed once they are finished, so that a state of the drawing
// is just a list of them and undoing is going back to a former list.

const MOST_STATES = 200;
const STEP = 2; // units between two points that the eraser looks at

export class Drawing {
  width = 1;
  height = 1;
  strokes = [];
  #past = [];
  #future = [];
  #begun = null; // the strokes when the present gesture began
  #startTime = 0;

  get isEmpty() {
    return this.strokes.length === 0;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** A stroke begins; it is part of the drawing at once. time: milliseconds. */
  begin(x, y, pressure, time, size) {
    if (this.isEmpty) this.#startTime = time;
    this.#begun = this.strokes;
    this.strokes = [...this.strokes, { points: [this.#point(x, y, pressure, time)], size }];
  }

  /** The stroke goes on; false where it has not moved enough to matter. */
  extend(x, y, pressure, time) {
    const { points } = this.strokes.at(-1);
    const [lastX, lastY] = points.at(-1);
    if (Math.hypot(x - lastX, y - lastY) < 0.5) return false;
    points.push(this.#point(x, y, pressure, time));
    return true;
  }

  /** The eraser begins to rub; all its rubbing until `end` is undone as one. */
  beginErasing() {
    this.#begun = this.strokes;
  }

  /** Take away all ink within `radius` of a place; what a stroke loses in its middle makes two of it. */
  eraseAt(x, y, radius) {
    const rest = this.strokes.flatMap((stroke) => cut(stroke, x, y, radius));
    const changed = rest.length !== this.strokes.length || rest.some((stroke, place) => stroke !== this.strokes[place]);
    if (changed) this.strokes = rest;
    return changed;
  }

  /** The gesture ends, and can be undone. */
  end() {
    if (this.#begun && this.#begun !== this.strokes) this.#keep(this.#begun);
    this.#begun = null;
  }

  /** The gesture was none: the browser took the pointer away. */
  cancel() {
    if (this.#begun) this.strokes = this.#begun;
    this.#begun = null;
  }

  clear() {
    this.replace([]);
  }

  /** Other strokes take the place of these; can be undone. */
  replace(strokes) {
    if (strokes === this.strokes || (this.isEmpty && strokes.length === 0)) return;
    this.#keep(this.strokes);
    this.strokes = strokes;
  }

  /** Forget everything, also what could be undone. */
  reset() {
    this.strokes = [];
    this.#past = [];
    this.#future = [];
    this.#begun = null;
  }

  undo() {
    if (!this.canUndo) return;
    this.#future.push(this.strokes);
    this.strokes = this.#past.pop();
  }

  redo() {
    if (!this.canRedo) return;
    this.#past.push(this.strokes);
    this.strokes = this.#future.pop();
  }

  /** The drawing gets another size: the ink keeps its shape and stays in the middle. */
  resize(width, height) {
    if (width === this.width && height === this.height) return;
    const move = fitting(this.width, this.height, width, height);
    const all = (states) => states.map((strokes) => strokes.map(move));
    this.strokes = this.strokes.map(move);
    this.#begun = this.#begun?.map(move) ?? null;
    this.#past = all(this.#past);
    this.#future = all(this.#future);
    this.width = width;
    this.height = height;
  }

  /** Plain values, as the service takes them and the history keeps them. */
  toJson() {
    return { width: this.width, height: this.height, strokes: this.strokes };
  }

  #point(x, y, pressure, time) {
    return [round(x), round(y), Math.round(pressure * 1000) / 1000, Math.round(time - this.#startTime)];
  }

  #keep(strokes) {
    this.#past.push(strokes);
    if (this.#past.length > MOST_STATES) this.#past.shift();
    this.#future = [];
  }
}

/** A function that brings strokes from a drawing of one size into one of another: as large as fits, in the middle. */
export function fitting(fromWidth, fromHeight, width, height) {
  const scale = Math.min(width / fromWidth, height / fromHeight);
  const left = (width - scale * fromWidth) / 2;
  const top = (height - scale * fromHeight) / 2;
  return ({ points, size }) => ({
    points: points.map(([x, y, ...rest]) => [round(left + scale * x), round(top + scale * y), ...rest]),
    size: round(scale * size),
  });
}

/** Left, top, right and bottom of the ink of one stroke or more. */
export function extentOf(strokes) {
  const sides = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { points, size } of strokes) {
    for (const [x, y] of points) {
      sides[0] = Math.min(sides[0], x - size / 2);
      sides[1] = Math.min(sides[1], y - size / 2);
      sides[2] = Math.max(sides[2], x + size / 2);
      sides[3] = Math.max(sides[3], y + size / 2);
    }
  }
  return sides;
}

function cut(stroke, x, y, radius) {
  const reach = radius + stroke.size / 2;
  if (!stroke.points.some((point, place) => distance(stroke.points[Math.max(0, place - 1)], point, x, y) < reach))
    return [stroke];
  const pieces = [[]];
  for (const point of densely(stroke.points)) {
    if (Math.hypot(point[0] - x, point[1] - y) >= reach) pieces.at(-1).push(point);
    else if (pieces.at(-1).length) pieces.push([]);
  }
  return pieces.filter((points) => points.length).map((points) => ({ points, size: stroke.size }));
}

/** From a place to a line between two points. */
function distance([ax, ay], [bx, by], x, y) {
  const squared = (bx - ax) ** 2 + (by - ay) ** 2;
  const share = squared ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / squared)) : 0;
  return Math.hypot(ax + share * (bx - ax) - x, ay + share * (by - ay) - y);
}

/** The points with others between them, so that no gap is longer than a step. */
function densely(points) {
  return points.flatMap((point, place) => {
    if (place === 0) return [point];
    const before = points[place - 1];
    const count = Math.max(1, Math.ceil(Math.hypot(point[0] - before[0], point[1] - before[1]) / STEP));
    const between = (share) => point.map((value, axis) => before[axis] + share * (value - before[axis]));
    return Array.from({ length: count }, (_, index) => (index + 1 === count ? point : between((index + 1) / count)));
  });
}

function round(value) {
  return Math.round(value * 100) / 100;
}
