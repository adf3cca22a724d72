// In the place of onnxruntime-web: logits that hang on a token's id and a little on its place, as `stub_logits` in Python.

const LABELS = 5;

export const env = { wasm: {} };

export class Tensor {
  constructor(type, data) {
    this.data = data;
  }
}

export function logits(ids) {
  const found = new Float32Array(ids.length * LABELS);
  ids.forEach((id, place) => {
    for (let label = 0; label < LABELS; label += 1) {
      const hash = (Math.imul(Number(id) * 31 + label * 7 + 1, 2654435761) >>> 8) & 0xffff;
      found[place * LABELS + label] = hash / 8192 + ((place * 7919) % 64) / 1024 * (label + 1);
    }
  });
  return found;
}

export const InferenceSession = {
  create: async () => ({ run: async ({ input_ids: ids }) => ({ logits: { data: logits([...ids.data]) } }) }),
};
