import { StateJson, Stored } from "breve"

/** A small state as text, to read, compare and keep under version control; exact to the bit. */
export const example = () => StateJson.encode({ scale: Stored.fromFloats(Float32Array.of(0.1, 2), [2]) })

export const shows =
  '{\n  "format": "breve-state-1",\n  "metadata": {},\n  "tensors": {\n    "scale": { "dtype": "F32", "shape": [2], "data": [0.1, 2] }\n  }\n}\n'
