// What says whether an input looks like those of the training objects.

const CORE = 1 / 6;

function magnitudes(values) {
  return [...values, ...Array.from(values).slice(1).map((value, n) => Math.fround(value - values[n]))];
}

// Brightness, concentration and colour of the whole image and of its core.
function image(pixels, [rows, width, channels]) {
  const side = Math.max(3, Math.round(CORE * rows)), top = (rows - side) >> 1, left = (width - side) >> 1;
  const at = (y, x, c) => pixels[(y * width + x) * channels + c];
  const near = (start, number) => start + Math.min(Math.max(number, 0), side - 1);
  const whole = [], inner = [], peak = [];
  for (let c = 0; c < channels; c++) {
    let sum = 0, core = 0, most = 0;
    for (let k = c; k < pixels.length; k += channels) sum += pixels[k];
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        core += at(top + y, left + x, c);
        let block = 0;
        for (let dy = -1; dy < 2; dy++) for (let dx = -1; dx < 2; dx++) block += at(near(top, y + dy), near(left, x + dx), c);
        most = Math.max(most, block);
      }
    }
    whole.push(sum);
    inner.push(core);
    peak.push(most);
  }
  const shares = inner.map((core, c) => Math.min(Math.max(core / Math.max(whole[c], 1), -1), 2));
  const colours = inner.slice(1).map((core, c) => (Math.asinh(core) - Math.asinh(inner[c])) ** 2);
  return [...[...whole, ...inner, ...peak].map(Math.asinh), ...shares, ...colours].map(Math.fround);
}

export function outside(item, values) {
  const measured = item.columns.length ? magnitudes(values) : image(values, item.shape);
  const { low, high } = item.training_range;
  return measured.some((value, n) => value < low[n] || value > high[n]);
}
