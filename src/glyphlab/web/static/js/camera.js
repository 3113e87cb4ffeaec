// A photograph with the camera of this device.
import { button, h, iconButton } from "./dom.js";
import { canvasBlob } from "./files.js";
import { texts } from "./texts.js";

const WANTED = { video: { facingMode: "environment", width: { ideal: 2560 }, height: { ideal: 1920 } }, audio: false };

/** Whether the page may ask for a camera: browsers grant one to secure origins alone, of which 127.0.0.1 is one. */
export function hasCamera() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/** Show what the camera sees; resolves to a photograph (JPEG), or to null when it was closed. Throws without camera. */
export async function photograph() {
  const stream = await navigator.mediaDevices.getUserMedia(WANTED);
  const video = h("video", { autoplay: true, playsinline: true, class: "viewfinder" });
  video.muted = true;
  video.srcObject = stream;
  try {
    return await new Promise((resolve) => show(video, resolve));
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

function show(video, resolve) {
  const dialog = h("dialog", { class: "camera", "aria-labelledby": "camera-title" });
  const take = async () => {
    const canvas = h("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    resolve(new File([await canvasBlob(canvas, "image/jpeg")], "photograph.jpg", { type: "image/jpeg" }));
    dialog.close();
  };
  const shutter = button(texts.read.camera.take, take, { iconName: "camera", class: "primary", disabled: true });
  video.addEventListener("loadeddata", () => {
    shutter.disabled = false;
  });
  const close = iconButton("close", texts.close, () => dialog.close());
  dialog.append(
    h("div", { class: "dialog-head" }, h("h2", { id: "camera-title" }, texts.read.camera.title), close),
    video,
    shutter,
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(null);
  });
  document.body.append(dialog);
  dialog.showModal();
}
