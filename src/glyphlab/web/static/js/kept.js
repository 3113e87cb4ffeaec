// Labelled drawings and pictures that the service keeps: folders from which networks are trained.
import { post, postForm, remove } from "./api.js";

export const KEPT_IN = "My drawings"; // the alphabet that corrections are added to

/** Keep a drawing (`Drawing.toJson`); returns its id. Throws `ApiError`. */
export async function keepDrawing(alphabet, label, { width, height, strokes }) {
  return (await post("samples", { alphabet, label, width, height, strokes })).id;
}

/** Keep a picture of one character; returns its id. Throws `ApiError`. */
export async function keepPicture(alphabet, label, file) {
  return (await postForm("samples", { alphabet, label, file })).id;
}

export function removeKept(id) {
  return remove(`samples/${encodeURIComponent(id)}`);
}
