// Token ids to logits and probabilities, and what each id adds to a logit: the arithmetic of
// c/glovelite.c, with its cache of products word × kernels, which are most of the work.

import { COLUMN_BLOCK } from "./model-file.js";

const PADDING_ID = 0;
const MAX_CACHE_BYTES = 16e6;

export class Engine {
  /** Prepare the engine for a model of `readModel`. */
  constructor(model) {
    this.model = model;
    this.products = new Map(); // id → products, the oldest first
    this.maxProducts = Math.ceil(MAX_CACHE_BYTES / (4 * model.columns));
    this.row = new Float32Array(model.rowColumns);
    this.padding = this.computeProducts(PADDING_ID);
    this.window = new Float32Array(Math.max(...model.kernels.map(({ padded }) => padded)));
  }

  /** Run the model on the ids of a text; return probabilities and what `explain` needs. */
  run(ids) {
    const { features, winners } = this.pool(ids);
    const logits = this.computeLogits(features, ids);
    return { ids, features, winners, logits, probabilities: this.toProbabilities(logits) };
  }

  /** Split a label's logit over the ids of a run: `share` returns the label's part of logits.
   *
   * A feature counts for the words of the window that gave it, in equal parts. */
  explain({ ids, features, winners }, share) {
    const { model } = this, parts = new Array(ids.length).fill(0);
    const { shares, wideShares } = this.shareColumns(share);
    let feature = 0;
    for (const { taps, padded } of model.kernels) {
      for (const end = feature + padded; feature < end; feature++) {
        const first = winners[feature], last = Math.min(first + taps, ids.length);
        const weight = shares.reduce((sum, value, column) =>
          sum + value * model.logitWeights[column * model.features + feature], 0);
        const part = weight * features[feature] / (last - first);
        for (let index = first; index < last; index++) parts[index] += part;
      }
    }
    const root = Math.sqrt(Math.max(1, ids.length));
    for (let column = 0; column < model.wideColumns; column++) {
      const scale = this.wideScale(column) * wideShares[column] / root;
      ids.forEach((id, index) => { parts[index] += this.wideValue(id, column) * scale; });
    }
    return parts;
  }

  /** Return the largest window of each filter, biased and rectified, and where that starts. */
  pool(ids) {
    const { model, window } = this;
    const rows = ids.map((id) => this.findProducts(id));
    for (let tap = 0; tap < model.maxTaps; tap++) rows.push(this.padding);
    const features = new Float32Array(model.features).fill(-Infinity);
    const winners = new Int32Array(model.features);
    let column = 0, feature = 0;
    for (const { taps, padded } of model.kernels) {
      for (let start = 0; start <= ids.length; start++) {
        for (let filter = 0, row = rows[start]; filter < padded; filter++) {
          window[filter] = row[column + filter];
        }
        for (let tap = 1; tap < taps; tap++) {
          const row = rows[start + tap], shift = column + tap * padded;
          for (let filter = 0; filter < padded; filter++) window[filter] += row[shift + filter];
        }
        for (let filter = 0; filter < padded; filter++) {
          if (window[filter] > features[feature + filter]) {
            features[feature + filter] = window[filter];
            winners[feature + filter] = start;
          }
        }
      }
      column += taps * padded;
      feature += padded;
    }
    features.forEach((value, index) => {
      features[index] = Math.max(0, value + model.featureBias[index]);
    });
    return { features, winners };
  }

  computeLogits(features, ids) {
    const { model } = this, root = Math.sqrt(Math.max(1, ids.length));
    const wide = Array.from({ length: model.wideColumns }, (_, column) =>
      ids.reduce((sum, id) => sum + this.wideValue(id, column), 0) * this.wideScale(column) / root);
    const sums = Array.from({ length: model.featureColumns }, (_, column) =>
      multiply(features, model.logitWeights, column * features.length));
    if (!model.mixing) {
      return Array.from(model.logitBias, (bias, output) => bias + sums[output] + (wide[output] ?? 0));
    }
    const shared = [...sums, ...wide];
    return Array.from(model.logitBias, (bias, output) =>
      bias + multiply(shared, model.mixing, output * model.sharedColumns));
  }

  toProbabilities(logits) {
    if (this.model.softmax) return softmax(logits);
    const probabilities = logits.map((logit) => 1 / (1 + Math.exp(-logit)));
    return logits.length < this.model.labelCount // a sigmoid: the second label's
      ? [1 - probabilities[0], probabilities[0]] : probabilities;
  }

  wideValue(id, column) {
    const { wide, wideColumns, wideBits } = this.model, value = wide[id * wideColumns + column];
    return wideBits === 16 ? expandHalf(value) : value;
  }

  wideScale(column) {
    return this.model.wideScales?.[column] ?? 1;
  }

  /** Return a label's part of each column of the features and of the wide weights. `share` is linear:
   * it returns the label's part of a number for each output. */
  shareColumns(share) {
    const { outputs, mixing, sharedColumns, featureColumns, wideColumns } = this.model;
    const weightOf = mixing ? (output, column) => mixing[output * sharedColumns + column]
      : (output, column) => Number(output === column);
    const shareOf = (column) =>
      share(Array.from({ length: outputs }, (_, output) => weightOf(output, column)));
    const shares = Array.from({ length: featureColumns }, (_, column) => shareOf(column));
    const first = mixing ? featureColumns : 0;
    const wideShares = Array.from({ length: wideColumns }, (_, column) => shareOf(first + column));
    return { shares, wideShares };
  }

  findProducts(id) {
    let products = this.products.get(id);
    if (products === undefined) {
      if (this.products.size >= this.maxProducts) {
        this.products.delete(this.products.keys().next().value);
      }
      this.products.set(id, products = this.computeProducts(id));
    }
    return products;
  }

  computeProducts(id) {
    const products = new Float32Array(this.model.columns);
    this.readRow(id);
    if (this.model.folded) this.spread(products);
    else this.multiply(products);
    return products;
  }

  /** Write the row of an id as real numbers. */
  readRow(id) {
    const { rows, rowBits, rowColumns: columns, rowScales } = this.model, { row } = this;
    if (rowBits === 4) { // two values a byte, 16 · high + low: the first half of the row is low
      const half = Math.ceil(columns / 2);
      for (let column = 0; column < half; column++) {
        const pair = rows[id * half + column], high = (pair + 8) >> 4;
        row[column] = pair - 16 * high;
        if (half + column < columns) row[half + column] = high;
      }
    } else {
      for (let column = 0; column < columns; column++) {
        const value = rows[id * columns + column];
        row[column] = rowBits === 16 ? expandHalf(value) : value;
      }
    }
    if (rowScales) for (let column = 0; column < columns; column++) row[column] *= rowScales[id];
  }

  /** Multiply the row with the kernels of all taps and filters, four columns at a time. */
  multiply(products) {
    const { row } = this, { kernelValues } = this.model;
    const blockValues = row.length * COLUMN_BLOCK;
    for (let column = 0; column < products.length; column += 4) {
      const shift = column % COLUMN_BLOCK;
      let at = (column - shift) / COLUMN_BLOCK * blockValues + shift;
      let first = 0, second = 0, third = 0, fourth = 0;
      for (let dimension = 0; dimension < row.length; dimension++, at += COLUMN_BLOCK) {
        const value = row[dimension];
        first += value * kernelValues[at];
        second += value * kernelValues[at + 1];
        third += value * kernelValues[at + 2];
        fourth += value * kernelValues[at + 3];
      }
      products[column] = first;
      products[column + 1] = second;
      products[column + 2] = third;
      products[column + 3] = fourth;
    }
  }

  /** Copy products that are stored as they are, with the filters padded. */
  spread(products) {
    let from = 0, to = 0;
    for (const { taps, filters, padded } of this.model.kernels) {
      for (let tap = 0; tap < taps; tap++, from += filters, to += padded) {
        products.set(this.row.subarray(from, from + filters), to);
      }
    }
  }
}

/** Return the sum of the products of values with as many weights from a start on. */
function multiply(values, weights, start) {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] * weights[start + index];
  return sum;
}

/** Return probabilities that sum to 1: [0, 0] → [0.5, 0.5]. */
export function softmax(logits) {
  const largest = Math.max(...logits);
  const scores = logits.map((logit) => Math.exp(logit - largest));
  const sum = scores.reduce((a, b) => a + b);
  return scores.map((score) => score / sum);
}

/** Return the number of a float16's bits: 0x3c00 → 1. */
function expandHalf(half) {
  const sign = half & 0x8000 ? -1 : 1, exponent = (half >> 10) & 31, fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}
