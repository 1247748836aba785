// Pictures: decoded by the browser, then brought into the field by the rule of zoo predict for 0.2 arcsec per pixel.

const PNG = [0x89, 0x50, 0x4e, 0x47];
const FRAMES = [0xc0, 0xc1, 0xc2, 0xc3];

// What a browser would show although zoo predict refuses it, from the file's header.
function refused(bytes) {
  if (PNG.every((byte, k) => bytes[k] === byte)) {
    return bytes[24] > 8 ? "expected 8 bits a colour, found 16; save it as RGB of 8 bits" : "";
  }
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8 || bytes[2] !== 0xff) return "expected a JPEG or PNG image, found another file";
  let end = bytes.length - 2;
  while (end > 0 && (bytes[end] !== 0xff || bytes[end + 1] !== 0xd9)) end--;
  if (end <= 0) return "expected a whole JPEG, found one that is cut off";
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; at += 2 + (bytes[at + 2] << 8 | bytes[at + 3])) {
    if (FRAMES.includes(bytes[at + 1])) return bytes[at + 9] > 3 ? "expected an RGB image, found CMYK; save it as RGB of 8 bits" : "";
  }
  return "";
}

// The middle of an image; a smaller one's edge is repeated.
function cropOrPad(pixels, width, height, side) {
  const start = (size) => (size > side ? (size - side) >> 1 : -((side - size) >> 1));
  const left = start(width), top = start(height), field = new Uint8Array(side * side * 3);
  const inside = (place, size) => Math.min(Math.max(place, 0), size - 1);
  for (let y = 0, to = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const from = 4 * (inside(top + y, height) * width + inside(left + x, width));
      for (let c = 0; c < 3; c++) field[to++] = pixels[from + c];
    }
  }
  return field;
}

async function readImage(file, rule) {
  const problem = refused(new Uint8Array(await file.arrayBuffer()));
  if (problem) throw new Error(problem);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "none", premultiplyAlpha: "none", colorSpaceConversion: "none" });
  } catch {
    throw new Error("expected a whole JPEG or PNG image, found one that cannot be read");
  }
  const { width, height } = bitmap;
  if (Math.min(width, height) < rule.smallest || Math.max(width, height) > rule.largest) {
    throw new Error(`expected sides of ${rule.smallest} to ${rule.largest} pixels at ${rule.scale}"/pixel, found ${width}x${height}; zoo predict --image-scale takes other scales`);
  }
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  for (let k = 3; k < data.length; k += 4) if (data[k] < 255) throw new Error("expected an opaque image, found transparent pixels; put it on its background first");
  const field = cropOrPad(data, width, height, rule.side);
  if (field.every((value, k) => value === field[k % 3])) throw new Error("expected an image that shows something, found one colour throughout");
  return { field, cropped: width !== rule.side || height !== rule.side };
}

// Several files as the input img; one that does not enter is an object without prediction.
export async function loadImages(files, { image, flags }) {
  const size = image.side ** 2 * 3;
  const loaded = { values: new Uint8Array(files.length * size), flags: new Int32Array(files.length), problems: {} };
  for (const [n, file] of files.entries()) {
    try {
      const { field, cropped } = await readImage(file, image);
      loaded.values.set(field, n * size);
      loaded.flags[n] = cropped ? flags.CROPPED.bit : 0;
    } catch (error) {
      loaded.flags[n] = flags.BAD_INPUT.bit;
      loaded.problems[n] = `${file.name}: ${error.message}`;
    }
  }
  return loaded;
}
