// Every word on the page, in one place: whoever translates it needs no other file.

const list = new Intl.ListFormat("en", { type: "disjunction" });
const whole = new Intl.NumberFormat("en");
const plural = (count, one, many) => `${whole.format(count)} ${count === 1 ? one : many}`;

export function percent(share, digits = 0) {
  if (share > 0.9949 && share < 1 && digits === 0) return "> 99 %";
  if (share > 0 && share < 0.0051 && digits === 0) return "< 1 %";
  return `${(100 * share).toFixed(digits)} %`;
}

function duration(seconds) {
  if (seconds < 90) return plural(Math.round(seconds), "second", "seconds");
  if (seconds < 5400) return plural(Math.round(seconds / 60), "minute", "minutes");
  return `${(seconds / 3600).toFixed(1)} hours`;
}

export const texts = {
  name: "Glyphlab",
  title: (tab) => `${tab} · Glyphlab`,
  skip: "Skip to the content",
  close: "Close",
  cancel: "Cancel",
  undo: "Undo",
  redo: "Redo",
  percent,

  tabs: { label: "Pages", draw: "Draw", read: "Read", teach: "Teach", look: "Look" },

  models: {
    label: "Model that answers",
    kinds: { shipped: "", run: " · trained here", taught: " · taught here" },
  },

  errors: {
    unreachable: "Glyphlab does not answer. Is 'glyphlab serve' still running?",
    unknown: (code) => `Something went wrong (${code}).`,
  },

  keys: {
    open: "Keys",
    title: "Keys",
    single: "Single keys are commands",
    groups: [
      {
        title: "Draw",
        keys: [
          [["P"], "Pen"],
          [["E"], "Eraser"],
          [["[", "]"], "Thinner or thicker brush"],
          [["Ctrl Z", "Ctrl Y"], "Undo, redo"],
          [["Delete"], "Clear the canvas"],
          [["W"], "Wrong? Say what it was"],
          [["← ↑ → ↓", "Space"], "On the canvas: move a pen, lower or lift it"],
        ],
      },
      {
        title: "Read",
        keys: [
          [["← ↑ → ↓"], "From character to character"],
          [["any character"], "Correct the one in focus"],
          [["Enter"], "It is right; on to the next unsure one"],
          [["Backspace"], "Take the correction back"],
          [["Ctrl V"], "Paste a picture"],
        ],
      },
      {
        title: "Teach",
        keys: [
          [["Enter"], "Keep the drawing"],
          [["Ctrl Z"], "Undo a stroke"],
        ],
      },
      {
        title: "Look, label review",
        keys: [
          [["K"], "Keep the label"],
          [["R"], "Relabel as suggested"],
          [["L"], "Give another label"],
          [["D"], "Discard the image"],
          [["←", "→"], "Before, next"],
          [["U"], "Undo the last decision"],
        ],
      },
    ],
  },

  pad: {
    label: "Canvas to draw on",
    penDown: "Canvas to draw on, pen down",
    penUp: "Canvas to draw on, pen up",
    help: "Draw with the mouse, a pen or a finger. With the keyboard: arrow keys move a pen, the space bar lowers and lifts it.",
  },

  tools: {
    label: "Drawing tools",
    pen: "Pen",
    eraser: "Eraser",
    size: "Brush size",
    sizeTip: "Brush size ([ and ])",
    clear: "Clear",
  },

  draw: {
    hint: "Draw a digit, a letter, or a whole word",
    wrong: "Wrong? It was a …",
    picture: "Save this drawing as a picture",
    collection: (count) => `Kept ${whole.format(count)}`,
    collectionTip: (count) => `Download ${plural(count, "kept drawing", "kept drawings")}, sorted into folders`,
    kept: (label, name) => `Kept as “${label}” in “${name}”.`,
    settings: "What may be answered",
    line: "Several characters",
    lines: { auto: "are found by themselves", yes: "always: read a line", no: "never: one character" },
  },

  answer: {
    title: "Answer",
    blank: "Draw something",
    blankHint: "The answer appears here while you draw.",
    bars: "Most probable characters",
    lineCharacters: "Characters of the line",
    sees: "What the network sees",
    seesAlt: (character) => `The drawing of ${character} as the network sees it, 28 by 28 pixels`,
    sure: (character) => `It is ${character}`,
    oneOf: (set) => `Not sure: ${list.format(set)}`,
    unsure: (character) => `Not sure, perhaps ${character}`,
    line: (count, sets) => {
      const doubts = sets.slice(0, 3).map((set) => list.format(set.slice(0, 3)));
      return `${plural(count, "character", "characters")}${doubts.length ? `; not sure: ${doubts.join(", ")}` : ""}`;
    },
    time: (milliseconds) => `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`,
  },

  only: {
    label: "Characters",
    custom: "Characters that may be answered",
    example: "such as 0-9 or abc",
    kinds: {
      all: "All it knows",
      digits: "Digits",
      letters: "Letters",
      capitals: "Capitals",
      lowercase: "Small letters",
      custom: "These …",
    },
  },

  labelling: {
    wrong: "What did you draw?",
    wrongLine: (count) => `What does it say? All ${count} characters; each is kept for itself.`,
    input: "The character you drew",
    save: "Keep",
  },

  explain: {
    title: "Look inside",
    saliency: "Why this?",
    maps: "Feature maps",
    pictures: "What was found inside",
    alt: { saliency: "On which pixels the answer rests", maps: "What each layer makes of the drawing" },
    busy: "Looking … the first time takes longest.",
  },

  history: {
    title: "Before",
    open: (text) => `Bring back the drawing read as ${text}`,
    openLabelled: (label) => `Bring back the drawing labelled ${label}`,
    export: "Export",
    clear: "Forget all",
    cleared: "The former drawings are forgotten.",
  },

  read: {
    lead: "A picture of writing whose characters stand apart. It is read on this machine and goes nowhere else.",
    drop: "Drop a picture here, or paste it",
    formats: "PNG, JPEG, WebP, TIFF, BMP or GIF, up to 32 MB",
    choose: "Choose a picture",
    photograph: "Photograph",
    busy: "Reading …",
    picture: "The page, with a box around each character",
    text: "What is written",
    keys: "Arrow keys go through the characters, typing corrects one, Enter confirms it and goes to the next unsure one.",
    empty: "No writing was found on this picture.",
    summary: (count, unsure, seconds) =>
      `${plural(count, "character", "characters")} in ${seconds.toFixed(1)} s, ${unsure ? `${whole.format(unsure)} unsure` : "none unsure"}`,
    nextUnsure: "Next unsure",
    character: (text, share, isSure, correctedFrom) => {
      if (correctedFrom) return `${text}, corrected from ${correctedFrom}`;
      return `${text}, ${percent(share)}${isSure ? "" : ", unsure"}`;
    },
    edit: "Correct this character",
    correct: "It is",
    right: "Right",
    confirmed: (text) => `${text} confirmed`,
    saved: (text) => `Corrected to “${text}”, and kept as an example.`,
    copy: "Copy",
    copied: "The text is copied.",
    notCopied: "The browser did not permit copying; select the text instead.",
    settings: "How it is read",
    language: "Letter pairs of English count",
    context: "Neighbours count: O among digits is 0",
    camera: {
      title: "Photograph a page",
      take: "Take the picture",
      none: "No camera can be used: choose a picture instead.",
    },
    notPicture: "That is not a picture; PNG, JPEG, WebP, GIF, BMP or TIFF is.",
  },

  teach: {
    lead: "Name your characters, draw a few of each, press Teach: a network of your own learns them, on this machine.",
    steps: { name: "Name the characters you want to teach", teach: "Teach" },
    rename: "Rename this alphabet",
    doRename: "Rename",
    remove: "Delete this alphabet",
    removeAsk: (name) => `Delete “${name}”?`,
    removeDetails: (count) =>
      `Its ${plural(count, "drawing goes", "drawings go")} with it. Networks that learned from them stay.`,
    doRemove: "Delete",
    removeCharacter: (label) => `Delete ${label} with its drawings`,
    removed: (name) => `“${name}” is deleted.`,
    hintPad: (label) => `Draw ${label} here, then press Keep`,
    alphabet: "Alphabet",
    newAlphabet: "New alphabet …",
    name: "Name",
    nameExample: "such as Greek",
    characters: "Characters",
    charactersExample: "such as α β γ",
    charactersHint: "With spaces between them; names such as “star” will do as well.",
    start: "Begin",
    more: "Add characters",
    drawA: "Draw",
    padLabel: (label) => `Canvas: draw ${label}`,
    keep: "Keep",
    skip: "Another one",
    upload: (label) => `Add pictures of ${label}`,
    uploaded: (count, label) => `${plural(count, "picture", "pictures")} of ${label} kept.`,
    sheet: "Drawings so far",
    counted: (label, count) => `${label}, ${plural(count, "drawing", "drawings")}`,
    chooseMore: (count) => `${plural(count, "drawing", "drawings")}: draw more`,
    sample: (label, place) => `Delete drawing ${place} of ${label}`,
    deleted: (label) => `A drawing of ${label} is deleted.`,
    needs: (count) => `${whole.format(count)} more`,
    enough: "enough",
    good: "good",
    hintNone: "Name at least two characters.",
    hintNeeds: (names) => `A few more of ${list.format(names).replace(" or ", " and ")}, then it can be taught.`,
    hintReady: "It can be taught. Five or more of each make it better.",
    hintGood: "Plenty. Teach it.",
    base: "Begin with",
    add: "Keep the characters it knows already",
    teach: "Teach",
    teachAgain: "Teach again",
    stop: "Stop",
    states: { waiting: "Waiting", running: "Learning", done: "It has learned", failed: "It did not work out" },
    accuracy: ({ mean, spread, folds }) =>
      `${percent(mean, 1)} right on drawings it did not learn from (± ${(100 * spread).toFixed(1)}, ${plural(folds.length, "fold", "folds")} of cross-validation)`,
    seconds: (seconds) => `in ${duration(seconds)}`,
    use: "Try it on the canvas",
    file: "Download the model",
    zip: "Download the drawings",
    progress: "Progress of teaching",
  },

  look: {
    runs: "Runs",
    lead: "Everything that was trained on this machine, newest first. Tick two runs to compare them.",
    none: "No runs yet. Train one with: glyphlab train mnist",
    columns: {
      compare: "Compare",
      name: "Run",
      test: "Test",
      validation: "Validation",
      more: "Open",
      data: "Data",
      network: "Network",
      time: "Time",
    },
    compareChoose: (name) => `Compare ${name}`,
    compare: "Compare the two",
    compareHint: (count) => (count === 1 ? "Tick one more run." : "Tick two runs to compare them."),
    report: "Report",
    reportOf: (name) => `Report of ${name}, in a new tab`,
    labels: (split) => (split === "train" ? "Labels" : `Labels (${split})`),
    searches: "Labels that were searched without a run",
    labelsOf: (name, split) => `Review suspicious labels of ${name}, ${split} part`,
    versus: (a, b) => `${a} and ${b}`,
    figures: "Figures",
    settings: "What differs",
    same: "Nothing differs.",
    loading: "Looking …",
    busy: "Comparing …",
    back: "All runs",
    duration,
  },

  review: {
    title: (run) => `Labels of ${run}`,
    lead: "Images whose label networks that never saw them doubt most. Every decision is saved at once.",
    none: "No label is in doubt.",
    done: "All of them are decided.",
    place: (place, total, decided) =>
      `${whole.format(place)} of ${whole.format(total)}, ${whole.format(decided)} decided`,
    image: (id, given) => `Image ${id}, labelled ${given}`,
    given: "Label",
    suggested: "Suggested",
    confidence: (given, share) => `“${given}” is ${percent(share, 1)} likely, say networks that never saw this image.`,
    keep: "Keep",
    relabel: (label) => `Relabel as ${label}`,
    other: "Relabel",
    otherLabel: "Another label",
    progress: "Labels decided",
    discard: "Discard",
    before: "Before",
    next: "Next",
    undo: "Undo",
    decisions: {
      keep: (given) => `kept as ${given}`,
      relabel: (_, label) => `relabelled ${label}`,
      discard: () => "discarded",
    },
    undecided: "not decided",
    unknownLabel: (label) => `There is no class “${label}” in this data set.`,
    apply: "When you are done, make the corrected set with ",
  },
};
