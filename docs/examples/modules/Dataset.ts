import { Dataset } from "breve"

/** The last two of five images, and their pixels from 0 to 1. */
export const example = () => {
  const images = { images: Uint8Array.of(0, 51, 102, 153, 255), labels: Uint8Array.of(0, 1, 2, 1, 0) }
  const held = Dataset.slice({ ...images, count: 5, height: 1, width: 1 }, 3, 5)
  return {
    pixels: Dataset.pixels(held, [0, 1]),
    labels: Dataset.labels(held, [0, 1]),
    histogram: Dataset.histogram(held, 3)
  }
}

export const shows = { pixels: [0.6, 1], labels: [1, 0], histogram: [1, 1, 0] }
