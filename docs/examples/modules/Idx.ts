import { Idx } from "breve"
import { Result } from "effect"

/** Two images of 1 x 2 pixels in a file of MNIST's format, and what a damaged one is told. */
export const example = () => {
  const header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]
  const whole = Idx.parse("images.idx", Uint8Array.of(...header, 0, 255, 128, 7))
  const cut = Idx.parse("images.idx", Uint8Array.of(...header, 0, 255))
  return {
    shape: Result.match(whole, { onFailure: ({ message }) => message, onSuccess: ({ shape }) => shape }),
    cut: Result.match(cut, { onFailure: ({ message }) => message, onSuccess: ({ shape }) => shape })
  }
}

export const shows = {
  shape: [2, 1, 2],
  cut: "images.idx: truncated: expected 4 bytes of data for shape [2, 1, 2], found 2"
}
