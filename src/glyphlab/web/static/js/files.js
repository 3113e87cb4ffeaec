// Handing files to the visitor, and pictures to the service.
import { h } from "./dom.js";

export function download(content, name, type = "text/plain;charset=utf-8") {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function canvasBlob(canvas, type = "image/png") {
  return new Promise((resolve) => canvas.toBlob(resolve, type));
}

/** The part of a picture within a box, with a little of what is around it, as PNG. box: [x, y, width, height]. */
export function cropBlob(image, [x, y, width, height], marginShare = 0.15) {
  const margin = marginShare * Math.max(width, height);
  const left = Math.max(0, x - margin);
  const top = Math.max(0, y - margin);
  const canvas = h("canvas");
  canvas.width = Math.max(1, Math.round(Math.min(image.naturalWidth, x + width + margin) - left));
  canvas.height = Math.max(1, Math.round(Math.min(image.naturalHeight, y + height + margin) - top));
  canvas.getContext("2d").drawImage(image, -left, -top);
  return canvasBlob(canvas);
}

const PNG_COLOUR_TYPE = 25; // the byte of the header that tells it (PNG specification, 11.2.1); 2 and 6 are in colour

/** Show a picture of the network's data: grey ones are writing, light on black, and follow the page's light. */
export function showGlyph(node, png) {
  const head = atob(png.slice(png.indexOf(",") + 1, png.indexOf(",") + 49));
  node.classList.toggle("coloured", [2, 6].includes(head.charCodeAt(PNG_COLOUR_TYPE)));
  node.src = imageAddress(png);
}

/** What a data address or bare base64 stands for: both are shown the same way. */
export function imageAddress(png) {
  return png.startsWith("data:") || png.includes("/api/") ? png : `data:image/png;base64,${png}`;
}
