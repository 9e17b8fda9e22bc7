// A TFLite model's input shape, read and set in its bytes (a FlatBuffer of tensorflow/lite's
// schema.fbs): the web engine resizes no input, a shape that is in the model it obeys.

const SUBGRAPHS = 2, TENSORS = 0, INPUTS = 1, SHAPE = 0, SHAPE_SIGNATURE = 7; // fields, in order

/** Give the places of the first input's last dimension: in its shape, and in its signature or 0. */
function findLength(view) {
  const follow = (at) => at + view.getUint32(at, true);
  const field = (table, index) => {
    const fields = table - view.getInt32(table, true), entry = 4 + 2 * index;
    const offset = entry < view.getUint16(fields, true) ? view.getUint16(fields + entry, true) : 0;
    return offset && table + offset;
  };
  const element = (at, index) => follow(at) + 4 + 4 * index;
  const subgraph = follow(element(field(follow(0), SUBGRAPHS), 0));
  const input = view.getInt32(element(field(subgraph, INPUTS), 0), true);
  const tensor = follow(element(field(subgraph, TENSORS), input));
  const signature = field(tensor, SHAPE_SIGNATURE);
  return [element(field(tensor, SHAPE), 1), signature && element(signature, 1)];
}

/** Give the length a model is fixed to, or null where it takes any. */
export function fixedLength(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [shape, signature] = findLength(view);
  return signature && view.getInt32(signature, true) === -1 ? null : view.getInt32(shape, true);
}

/** Give a copy of a model of any length whose one input is [1, length]. */
export function withLength(bytes, length) {
  const copy = bytes.slice(), view = new DataView(copy.buffer);
  for (const at of findLength(view)) view.setInt32(at, length, true);
  return copy;
}
