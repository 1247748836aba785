// What says whether an input looks like those of the training objects: common/data/novelty.py, and, of models stored before
// there was that, common/data/measure.py.

const CORE = 1 / 6, LINES = 30, TAIL = 2, STEEPEST = 1e4, FARTHEST = 100;

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

// How an image varies from pixel to pixel, in every few lines.
function texture(pixels, [rows, width, channels]) {
  const bright = [];
  let near = 0, apart = 0, lines = 0;
  for (let y = 0; y < rows; y += Math.max(1, Math.floor(rows / LINES)), lines++) {
    for (let x = 0; x < width; x++) {
      const first = (y * width + x) * channels;
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += pixels[first + c];
      if (x) near += Math.abs(sum - bright.at(-1));
      bright.push(sum);
      apart += Math.abs(pixels[first] - pixels[first + channels - 1]);
    }
  }
  const mean = bright.reduce((a, b) => a + b, 0) / bright.length;
  const far = bright.reduce((sum, one) => sum + Math.abs(one - mean), 0) / bright.length;
  return [near / (lines * (width - 1)), far, apart / bright.length].map((one) => Math.log10(one + 1e-3));
}

function traits(item, values) {
  if (item.columns.length) return magnitudes(values.subarray(0, (item.training_range.knots.length + 1) / 2));
  const measured = image(values, item.shape), channels = item.shape[2];
  const colours = Array.from({ length: channels - 1 }, (_, c) => measured[channels + c + 1] - measured[channels + c]);
  return [...measured.slice(0, 4 * channels), ...colours, ...texture(values, item.shape)];
}

// A number as that of a standard normal distribution, by the quantiles of the training objects.
function normal(value, knots, scores) {
  const last = knots.length - 1;
  const steep = (from) => Math.min(STEEPEST, (scores[TAIL] - scores[0]) / Math.max(knots[from + TAIL] - knots[from], 1 / STEEPEST));
  let found = scores[last];
  if (value < knots[0]) found = scores[0] + (value - knots[0]) * steep(0);
  else if (value > knots[last]) found += (value - knots[last]) * steep(last - TAIL);
  else if (value < knots[last]) {
    const k = knots.findLastIndex((knot) => knot <= value);
    found = scores[k] + ((scores[k + 1] - scores[k]) * (value - knots[k])) / (knots[k + 1] - knots[k]);
  }
  return Math.min(Math.max(found, -FARTHEST), FARTHEST);
}

// Of each component, the factor of its covariance for the numbers that are there: a lower triangle, row by row.
function factors(range, has, key) {
  range.factors ??= {};
  return (range.factors[key] ??= range.covariances.map((lower) => {
    const factor = [];
    has.forEach((k, row) => {
      factor.push([]);
      for (let column = 0; column <= row; column++) {
        const at = (k * (k + 1)) / 2 + has[column];
        const rest = factor[row].slice(0, column).reduce((sum, one, n) => sum - one * factor[column][n], lower[at]);
        factor[row].push(column === row ? Math.sqrt(rest) : rest / factor[column][column]);
      }
    });
    return factor;
  }));
}

function score(range, found) {
  const has = found.flatMap((value, k) => (Number.isFinite(value) ? [k] : []));
  const logs = factors(range, has, has.join()).map((factor, component) => {
    const solved = [];
    let sum = range.weights[component] - (has.length * Math.log(2 * Math.PI)) / 2;
    has.forEach((k, row) => {
      const rest = solved.reduce((left, one, n) => left - factor[row][n] * one, found[k] - range.means[component][k]);
      solved.push(rest / factor[row][row]);
      sum -= solved[row] ** 2 / 2 + Math.log(factor[row][row]);
    });
    return sum;
  });
  const most = Math.max(...logs);
  return -most - Math.log(logs.reduce((sum, one) => sum + Math.exp(one - most), 0));
}

export function outside(item, values) {
  const range = item.training_range;
  if (range.low) {
    const measured = item.columns.length ? magnitudes(values) : image(values, item.shape);
    return measured.some((value, n) => value < range.low[n] || value > range.high[n]);
  }
  const measured = traits(item, values);
  const which = item.columns.length ? measured.slice(0, (measured.length + 1) / 2).map((one) => Number(Number.isFinite(one))).join("") : "";
  if (!(which in range.thresholds)) return true;
  return score(range, measured.map((value, k) => normal(value, range.knots[k], range.scores))) > range.thresholds[which];
}
