import { Dataset, Digits } from "breve"

/** Handwritten digits drawn from a seed: as many of each, always the same. */
export const example = () => {
  const digits = Digits.make(7, 100)
  return { size: [digits.count, digits.height, digits.width], labels: Dataset.histogram(digits, 10) }
}

export const shows = { size: [100, 28, 28], labels: [10, 10, 10, 10, 10, 10, 10, 10, 10, 10] }
