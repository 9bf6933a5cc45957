/** Dataset.ts: slices, pixels, labels. */
import { describe, expect, it } from "vitest"
import * as Dataset from "../../src/exchange/Dataset.ts"

const dataset: Dataset.Dataset = {
  images: Uint8Array.from([0, 51, 102, 153, 204, 255]),
  labels: Uint8Array.from([3, 1, 3]),
  count: 3,
  height: 1,
  width: 2
}

describe("Dataset", () => {
  it("slices images and labels together, without copying, and never past the end", () => {
    const rest = Dataset.slice(dataset, 1, 9)
    expect(rest).toEqual({ ...dataset, images: dataset.images.slice(2), labels: dataset.labels.slice(1), count: 2 })
    expect(rest.images.buffer).toBe(dataset.images.buffer)
    expect(Dataset.slice(dataset, 0, 1).count).toBe(1)
  })

  it("reads pixels as numbers from 0 to 1, in the order asked for", () => {
    expect([...Dataset.pixels(dataset, [2, 0])]).toEqual([0.8, 1, 0, 0.2].map(Math.fround))
    expect([...Dataset.labels(dataset, [2, 0, 1])]).toEqual([3, 3, 1])
  })

  it("counts labels", () => {
    expect(Dataset.histogram(dataset, 4)).toEqual([0, 1, 0, 2])
  })
})
