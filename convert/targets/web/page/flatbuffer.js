// Reads and sets the input shape in the bytes of a TFLite model (a FlatBuffer of tensorflow/lite's
// schema.fbs), because the web engine cannot resize inputs.

const SUBGRAPHS = 2, TENSORS = 0, INPUTS = 1, SHAPE = 0, SHAPE_SIGNATURE = 7; // field numbers

/** Return the offsets of the first input's last dimension: in its shape and its signature (or 0). */
function findLength(view) {
  const follow = (offset) => offset + view.getUint32(offset, true);
  const field = (table, index) => {
    const fields = table - view.getInt32(table, true), entry = 4 + 2 * index;
    const offset = entry < view.getUint16(fields, true) ? view.getUint16(fields + entry, true) : 0;
    return offset && table + offset;
  };
  const element = (vector, index) => follow(vector) + 4 + 4 * index;
  const subgraph = follow(element(field(follow(0), SUBGRAPHS), 0));
  const input = view.getInt32(element(field(subgraph, INPUTS), 0), true);
  const tensor = follow(element(field(subgraph, TENSORS), input));
  const signature = field(tensor, SHAPE_SIGNATURE);
  return [element(field(tensor, SHAPE), 1), signature && element(signature, 1)];
}

/** Return the only input length of a model, or null for any. */
export function fixedLength(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [shape, signature] = findLength(view);
  return signature && view.getInt32(signature, true) === -1 ? null : view.getInt32(shape, true);
}

/** Return a copy of a model of any length, with input [1, length]. */
export function withLength(bytes, length) {
  const copy = bytes.slice(), view = new DataView(copy.buffer);
  for (const offset of findLength(view)) view.setInt32(offset, length, true);
  return copy;
}
