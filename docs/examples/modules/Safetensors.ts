import { Safetensors, Stored } from "breve"
import { Result } from "effect"

/** Tensors by name as the bytes of one file, and back; what is no such file is told. */
export const example = () => {
  const bytes = Safetensors.encode({ weight: Stored.fromFloats(Float32Array.of(1, 2), [2]) }, { epoch: "3" })
  const shown = (read: Uint8Array) =>
    Result.match(Safetensors.decode(read, "model.safetensors"), {
      onFailure: ({ message }) => message,
      onSuccess: ({ tensors, metadata }) => ({ names: Object.keys(tensors), metadata })
    })
  return { bytes: bytes.length, read: shown(bytes), damaged: shown(bytes.subarray(0, 20)) }
}

export const shows = {
  bytes: 104,
  read: { names: ["weight"], metadata: { epoch: "3" } },
  damaged: "model.safetensors: is cut short: it has 20 bytes, and its header alone ends at 96"
}
