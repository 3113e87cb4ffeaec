// A canvas to draw on: pointers and keys become a Drawing, a Drawing becomes pixels.
import { Drawing, fitting } from "./drawing.js";
import { h } from "./dom.js";
import { texts } from "./texts.js";

const PEN_RULES_MILLISECONDS = 1500; // after a pen, touches are the palm of the hand
const KEY_STEP = 0.03; // of the smaller side
const ERASER_BUTTON = 32; // bit in `buttons`: the other end of a pen

/**
 * Events: "point" while a stroke grows, "settle" when the drawing has changed and is at rest.
 * Tools: "pen", "eraser". Size: the brush's diameter as a share of the canvas's smaller side.
 */
export class Pad extends EventTarget {
  drawing = new Drawing();
  tool = "pen";
  #size = 0.05;
  #label;
  #canvas;
  #context;
  #pointer = null;
  #penTime = -Infinity;
  #cursor = null; // of the keyboard: {x, y, isDown}
  #scale = 1;

  constructor(label) {
    super();
    this.#label = label;
    this.#canvas = h("canvas", {
      class: "pad",
      tabindex: "0",
      role: "img",
      "aria-label": label,
      "aria-describedby": "pad-help",
    });
    this.#context = this.#canvas.getContext("2d");
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      this.#canvas.addEventListener(type, (event) => this.#onPointer(event));
    }
    this.#canvas.addEventListener("keydown", (event) => this.#onKey(event));
    this.#canvas.addEventListener("blur", () => this.#hideCursor());
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => this.paint());
    }
  }

  get element() {
    return this.#canvas;
  }

  /** What the canvas is called while the keyboard's pen has nothing to tell. */
  set label(text) {
    this.#label = text;
    this.#showLabel();
  }

  set size(share) {
    this.#size = share;
    this.#showBrush();
  }

  /** The brush's diameter in the drawing's units. */
  get brush() {
    return Math.round(10 * this.#size * Math.min(this.drawing.width, this.drawing.height)) / 10;
  }

  undo() {
    this.#change(() => this.drawing.undo());
  }

  redo() {
    this.#change(() => this.drawing.redo());
  }

  clear() {
    this.#change(() => this.drawing.clear());
  }

  /** A new drawing; there is no way back. */
  reset() {
    this.#change(() => this.drawing.reset());
  }

  /** Show another drawing, as `Drawing.toJson` gave it; can be undone. */
  load({ width, height, strokes }) {
    this.#change(() =>
      this.drawing.replace(strokes.map(fitting(width, height, this.drawing.width, this.drawing.height))),
    );
  }

  #change(act) {
    this.drawing.cancel();
    this.#pointer = null;
    if (this.#cursor) this.#cursor.isDown = false; // its stroke is over
    this.#showLabel();
    act();
    this.paint();
    this.dispatchEvent(new Event("settle"));
  }

  #onPointer(event) {
    if (event.type === "pointerdown") return this.#down(event);
    if (event.pointerId !== this.#pointer?.id) return;
    if (event.type === "pointermove") this.#move(event);
    else this.#up(event);
  }

  #down(event) {
    if (event.pointerType === "pen") this.#penTime = event.timeStamp;
    const isPalm = event.pointerType === "touch" && event.timeStamp - this.#penTime < PEN_RULES_MILLISECONDS;
    if (this.#pointer || isPalm || (event.button !== 0 && !(event.buttons & ERASER_BUTTON))) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#hideCursor();
    const isErasing = this.tool === "eraser" || Boolean(event.buttons & ERASER_BUTTON);
    this.#pointer = { id: event.pointerId, isErasing };
    if (isErasing) this.drawing.beginErasing();
    else this.drawing.begin(...this.#place(event), pressureOf(event), event.timeStamp, this.brush);
    this.#draw(event);
  }

  #move(event) {
    // The points between two frames as well: strokes stay round however busy the page is.
    const events = event.getCoalescedEvents?.() ?? [];
    let changed = false;
    for (const each of events.length ? events : [event]) {
      changed = this.#draw(each) || changed;
    }
    if (event.pointerType === "pen") this.#penTime = event.timeStamp;
    if (changed) this.dispatchEvent(new Event("point"));
  }

  #up(event) {
    if (event.type === "pointercancel") this.drawing.cancel();
    else this.drawing.end();
    this.#pointer = null;
    this.paint();
    this.dispatchEvent(new Event("settle"));
  }

  /** One point of the gesture; true where it changed something. */
  #draw(event) {
    const [x, y] = this.#place(event);
    if (this.#pointer.isErasing) {
      const changed = this.drawing.eraseAt(x, y, this.brush);
      if (changed) this.paint();
      return changed;
    }
    const isNew = this.drawing.strokes.at(-1).points.length === 1;
    const moved = this.drawing.extend(x, y, pressureOf(event), event.timeStamp);
    if (moved || isNew) paintStroke(this.#context, this.drawing.strokes.at(-1), this.#ink(), -3);
    return moved;
  }

  #place(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [event.clientX - box.left - this.#canvas.clientLeft, event.clientY - box.top - this.#canvas.clientTop];
  }

  // With the keyboard: arrows move a pen, the space bar lowers and lifts it.
  #onKey(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in steps || event.key === " ")) return;
    event.preventDefault();
    const { width, height } = this.drawing;
    this.#cursor ??= { x: width / 2, y: height / 2, isDown: false };
    const cursor = this.#cursor;
    if (event.key === " ") {
      cursor.isDown = !cursor.isDown;
      if (cursor.isDown) this.drawing.begin(cursor.x, cursor.y, 0.5, event.timeStamp, this.brush);
      else this.drawing.end();
      this.#canvas.setAttribute("aria-label", cursor.isDown ? texts.pad.penDown : texts.pad.penUp);
    } else {
      const step = (event.shiftKey ? 0.25 : 1) * KEY_STEP * Math.min(width, height);
      cursor.x = Math.min(width, Math.max(0, cursor.x + step * steps[event.key][0]));
      cursor.y = Math.min(height, Math.max(0, cursor.y + step * steps[event.key][1]));
      if (cursor.isDown) this.drawing.extend(cursor.x, cursor.y, 0.5, event.timeStamp);
    }
    this.paint();
    this.dispatchEvent(new Event(cursor.isDown ? "point" : "settle"));
  }

  #hideCursor() {
    if (!this.#cursor) return;
    if (this.#cursor.isDown) this.drawing.end();
    this.#cursor = null;
    this.#showLabel();
    this.paint();
    this.dispatchEvent(new Event("settle"));
  }

  #showLabel() {
    this.#canvas.setAttribute("aria-label", this.#label);
  }

  // Sharp on every screen: a canvas pixel is a pixel of the screen.
  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || !height) return; // not shown
    this.#scale = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * this.#scale);
    this.#canvas.height = Math.round(height * this.#scale);
    this.drawing.resize(width, height);
    this.#showBrush();
    this.paint();
  }

  #showBrush() {
    this.#canvas.style.setProperty("--brush", `${this.brush}px`);
  }

  /** The drawing as a canvas of its own, black on white whatever the surroundings. */
  toPicture() {
    const picture = h("canvas");
    picture.width = this.#canvas.width;
    picture.height = this.#canvas.height;
    const context = picture.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, picture.width, picture.height);
    context.scale(this.#scale, this.#scale);
    for (const stroke of this.drawing.strokes) paintStroke(context, stroke, "#000");
    return picture;
  }

  paint() {
    const ink = this.#ink();
    this.#context.setTransform(this.#scale, 0, 0, this.#scale, 0, 0);
    this.#context.clearRect(0, 0, this.drawing.width, this.drawing.height);
    for (const stroke of this.drawing.strokes) paintStroke(this.#context, stroke, ink);
    if (this.#cursor) this.#paintCursor(this.#cursor);
  }

  #ink() {
    return getComputedStyle(this.#canvas).color;
  }

  #paintCursor({ x, y, isDown }) {
    const context = this.#context;
    context.strokeStyle = getComputedStyle(this.#canvas).getPropertyValue("--accent");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, Math.max(6, this.brush / 2), 0, 2 * Math.PI);
    if (isDown) context.lineWidth = 5;
    context.stroke();
  }
}

/** Pens tell how hard they press; what others tell is no pressure. */
function pressureOf(event) {
  return event.pointerType === "pen" && event.pressure > 0 ? event.pressure : 0.5;
}

/** A stroke's width where it is drawn with a pressure. */
function widthOf(size, pressure) {
  return size * (0.5 + pressure);
}

/** Paint a stroke, or only its end, from point number `from` (negative: from the end) on. */
function paintStroke(context, { points, size }, colour, from = 0) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineCap = context.lineJoin = "round";
  if (points.length === 1) {
    const [[x, y, pressure]] = points;
    context.beginPath();
    context.arc(x, y, widthOf(size, pressure) / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  for (let place = Math.max(1, from < 0 ? points.length + from : from); place < points.length; place += 1) {
    // Quadratic curves from middle to middle, the points themselves being handles, turn the corners of a fast hand round.
    const [before, here, after] = [points[place - 1], points[place], points[place + 1]];
    context.lineWidth = widthOf(size, (before[2] + here[2]) / 2);
    context.beginPath();
    context.moveTo(...(place === 1 ? before.slice(0, 2) : middle(before, here)));
    context.quadraticCurveTo(here[0], here[1], ...(after ? middle(here, after) : here.slice(0, 2)));
    context.stroke();
  }
}

function middle(a, b) {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}
