// A distribution as shares of bins, within which the density is constant; common/outputs/distribution.py does the same.

const ten = (value) => 10 ** value, same = (value) => value;
export const FORMULAS = {
  "quantile(raw, 0.5)": same, "quantile(mixture(raw), 0.5)": same,
  "10 ** quantile(raw, 0.5)": ten, "10 ** quantile(mixture(raw), 0.5)": ten,
};
export const ends = ["low", "high"];
const SMALLEST = -9, LARGEST = 3;

// Logistic distributions: logits of the weights, means and logarithms of the scales, in units of `spread` about `centre`.
function ofMixture({ grid, mixture: { components, centre, spread } }, raw) {
  const part = (first, n) => raw[first * components + n], numbers = Array.from({ length: components }, (_, n) => n);
  const most = Math.max(...numbers.map((n) => part(0, n))), powers = numbers.map((n) => Math.exp(part(0, n) - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const heights = grid.map((border) => numbers.reduce((sum, n) => {
    const scale = spread * Math.exp(Math.min(Math.max(part(2, n), SMALLEST), LARGEST));
    const distance = (border - (centre + spread * part(1, n))) / scale;
    return sum + (powers[n] / total) / (1 + Math.exp(-Math.min(Math.max(distance, -60), 60)));
  }, 0));
  heights[0] = 0;
  heights[heights.length - 1] = 1;
  return heights.slice(1).map((height, n) => Math.max(height - heights[n], 0));
}

const sharesOf = (output, raw) => (output.mixture ? ofMixture(output, raw) : Array.from(raw));

// The density in each bin, as plots.js draws it.
export function densityOf(output, raw) {
  const { grid: borders } = output, shares = sharesOf(output, raw);
  return { borders, density: shares.map((share, n) => share / (borders[n + 1] - borders[n])) };
}

// What says where a distribution reaches a cumulative probability.
export function quantilesOf(output, raw) {
  const shares = sharesOf(output, raw), heights = [];
  shares.reduce((sum, share, n) => (heights[n] = sum + share), 0);
  const total = heights.at(-1), { grid } = output;
  return (level) => {
    const found = heights.findIndex((height) => height / total >= level), place = found < 0 ? shares.length - 1 : found;
    const bottom = place ? heights[place - 1] / total : 0, share = heights[place] / total - bottom;
    return grid[place] + (share > 0 ? Math.min(Math.max((level - bottom) / share, 0), 1) : 0) * (grid[place + 1] - grid[place]);
  };
}

// The width of an interval in the scale in which errors are alike.
export function widthOf({ kind }, low, value, high) {
  if (kind === "redshift") return (high - low) / (1 + value);
  return kind === "mass" ? Math.log10(high / low) : high - low;
}
