// What was read on a page, with the corrections of whoever looked at it, and the files that are made of it.

/** The characters of a page in reading order; each knows its line and word, and what it was read as. */
export class PageText {
  /** answer: of the service's `read`; name: of the picture. */
  constructor(answer, name) {
    const { width, height, model, skew_degrees: skewDegrees } = answer;
    Object.assign(this, { name, width, height, model, skewDegrees });
    this.lines = answer.lines.map((line) => ({
      box: line.box,
      words: line.words.map((word) => ({ box: word.box, characters: word.characters.map(readable) })),
    }));
    this.characters = this.lines.flatMap((line) => line.words.flatMap((word) => word.characters));
  }

  get unsureCount() {
    return this.characters.filter(isUnsure).length;
  }

  /** The place of the next unsure character after `place`, going round; -1 where there is none. */
  nextUnsure(place) {
    const count = this.characters.length;
    const places = Array.from({ length: count }, (_, step) => (place + 1 + step) % count);
    return places.find((each) => isUnsure(this.characters[each])) ?? -1;
  }

  get text() {
    const words = (line) => line.words.map(textOf).filter(Boolean).join(" ");
    return this.lines.map((line) => `${words(line)}\n`).join("");
  }

  /** The document that `glyphlab read --json` writes. Boxes: [left, top, right, bottom]. */
  toJson() {
    const lines = this.lines.map((line) => ({
      text: line.words.map(textOf).filter(Boolean).join(" "),
      box: corners(line.box),
      words: line.words.filter(textOf).map((word) => ({
        text: textOf(word),
        box: corners(word.box),
        probability: confidence(word),
        characters: word.characters.map((one) => ({
          text: one.text,
          box: corners(one.box),
          probability: isCorrected(one) ? 1 : one.probability,
          alternatives: one.alternatives.map(({ character, probability }) => [character, probability]),
          ...(isCorrected(one) ? { corrected_from: one.original } : {}),
        })),
      })),
    }));
    const { name, width, height, skewDegrees } = this;
    const page = { file: name, text: this.text.trimEnd(), width, height, skew_degrees: skewDegrees, lines };
    return `${JSON.stringify({ pages: [page] }, null, 2)}\n`;
  }

  /** One hOCR document (hOCR 1.2), as `glyphlab read --hocr` writes it but for the version that wrote it. */
  toHocr() {
    // Of words whose characters were taken out, nothing.
    const words = this.lines.map(({ words }) => words.filter(textOf));
    const ids = words.flat().map((_, place) => `1_${place + 1}`);
    const rows = this.lines.map((line, place) =>
      [
        `     <span class="ocr_line" id="line_1_${place + 1}" title="bbox ${corners(line.box).join(" ")}">`,
        ...words[place].map((word) => hocrWord(ids.shift(), word)),
        "     </span>",
      ].join("\n"),
    );
    const title = `image "${this.name.replace(/[";]/g, "?")}"; bbox 0 0 ${this.width} ${this.height}; ppageno 0`;
    const around = `title="bbox ${extent(this.lines.map(({ box }) => corners(box))).join(" ")}"`;
    const body = [
      `   <div class="ocr_carea" id="block_1_1" ${around}>`,
      `    <p class="ocr_par" id="par_1_1" lang="und" ${around}>`,
      ...rows,
      "    </p>",
      "   </div>",
    ];
    return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title></title>
  <meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
  <meta name="ocr-system" content="glyphlab"/>
  <meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrx_cinfo"/>
 </head>
 <body>
  <div class="ocr_page" id="page_1" title="${escape(title)}">
${rows.length ? body.join("\n") : ""}
  </div>
 </body>
</html>
`;
  }
}

export function isCorrected(one) {
  return one.text !== one.original;
}

/** In doubt, and nobody has looked at it yet. */
export function isUnsure(one) {
  return !one.sure && !one.isConfirmed && !isCorrected(one);
}

function readable({ character, probability, box, alternatives, sure }) {
  return {
    text: character,
    original: character,
    probability,
    box,
    alternatives,
    sure,
    isConfirmed: false,
    sampleId: null,
  };
}

function textOf(word) {
  return word.characters.map((one) => one.text).join("");
}

/** Geometric mean of the characters' probabilities; what a person corrected or confirmed is certain. */
function confidence(word) {
  const logs = word.characters.map((one) =>
    isCorrected(one) || one.isConfirmed ? 0 : Math.log(Math.max(one.probability, 1e-9)),
  );
  return Math.round(1e6 * Math.exp(logs.reduce((sum, value) => sum + value, 0) / logs.length)) / 1e6;
}

/** The box around boxes, all as corners. */
function extent(boxes) {
  const [lefts, tops, rights, bottoms] = [0, 1, 2, 3].map((side) => boxes.map((box) => box[side]));
  return [Math.min(...lefts), Math.min(...tops), Math.max(...rights), Math.max(...bottoms)];
}

function corners([x, y, width, height]) {
  return [x, y, x + width, y + height];
}

function hocrWord(id, word) {
  const characters = word.characters.map((one) => {
    const certainty = (100 * (isCorrected(one) || one.isConfirmed ? 1 : one.probability)).toFixed(2);
    const place = `x_bboxes ${corners(one.box).join(" ")}; x_conf ${certainty}`;
    return `<span class="ocrx_cinfo" title="${place}">${escape(one.text)}</span>`;
  });
  const title = `bbox ${corners(word.box).join(" ")}; x_wconf ${Math.round(100 * confidence(word))}`;
  return `      <span class="ocrx_word" id="word_${id}" title="${title}">${characters.join("")}</span>`;
}

/** Text for XML; what XML 1.0 forbids, which a file's name may hold, becomes a question mark. */
function escape(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "?").replace(/[&<>"]/g, (found) => entities[found]);
}
