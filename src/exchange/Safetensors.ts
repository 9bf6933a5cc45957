/**
 * Safetensors: tensors by name in one file. Eight bytes with the length of a JSON header, the header, the values.
 *
 * Room: exchange (level 5). Imports: tfjs. Source: huggingface/safetensors, the format's description.
 */
import type * as tf from "@tensorflow/tfjs-core"

/** The bytes of a file with these tensors as little-endian float32, names in alphabetical order. */
export const encode = (tensors: Readonly<Record<string, tf.Tensor>>): Uint8Array => {
  const names = Object.keys(tensors).sort()
  const values = names.map((name) => Float32Array.from((tensors[name] as tf.Tensor).dataSync()))
  const offsets = [0]
  for (const value of values) offsets.push((offsets.at(-1) ?? 0) + value.byteLength)
  const entries = names.map((name, i) => [
    name,
    { dtype: "F32", shape: (tensors[name] as tf.Tensor).shape, data_offsets: [offsets[i], offsets[i + 1]] }
  ])
  const text = JSON.stringify(Object.fromEntries(entries))
  const header = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8))
  const bytes = new Uint8Array(8 + header.length + (offsets.at(-1) ?? 0))
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(header.length), true)
  bytes.set(header, 8)
  values.forEach((value, i) => {
    const start = 8 + header.length + (offsets[i] ?? 0)
    value.forEach((x, j) => {
      view.setFloat32(start + 4 * j, x, true)
    })
  })
  return bytes
}
