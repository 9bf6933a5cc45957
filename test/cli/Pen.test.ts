/** Pen.ts and Glyphs.ts: curves through their points, ink where the stroke is, glyphs inside their square. */
import { describe, expect, it } from "vitest"
import * as Glyphs from "../../src/cli/Glyphs.ts"
import * as Pen from "../../src/cli/Pen.ts"

describe("Glyphs", () => {
  it("has at least two styles for most digits, all inside the unit square", () => {
    expect(Glyphs.styles).toHaveLength(10)
    for (const styles of Glyphs.styles) {
      expect(styles.length).toBeGreaterThanOrEqual(2)
      const points = styles.flat().flatMap((stroke) => Pen.flatten(stroke))
      expect(points.every(([x, y]) => x >= 0 && x <= 1 && y >= 0 && y <= 1)).toBe(true)
      expect(Math.max(...points.map(([, y]) => y)) - Math.min(...points.map(([, y]) => y))).toBeGreaterThan(0.8)
    }
  })
})

describe("Pen", () => {
  it("leaves lines as they are and takes curves through all their points, smoothly", () => {
    const points = [
      [0, 0],
      [1, 0],
      [1, 1]
    ] as const
    expect(Pen.flatten({ kind: "line", points })).toEqual(points)
    const curve = Pen.flatten({ kind: "curve", points })
    expect(curve).toHaveLength(13)
    expect([curve[0], curve[6], curve[12]]).toEqual(points)
    for (let i = 1; i < curve.length; i++) {
      const [[x0, y0], [x1, y1]] = [curve[i - 1] ?? [0, 0], curve[i] ?? [0, 0]]
      expect(Math.hypot(x1 - x0, y1 - y0)).toBeLessThan(0.3)
    }
    expect(Pen.flatten({ kind: "curve", points: [] })).toEqual([])
  })

  it("inks fully within the radius, fades over the soft edge, and never adds up", () => {
    const canvas = Pen.paper(7, 9)
    const nib = { radius: 0.5, soft: 2 }
    Pen.draw(
      canvas,
      [
        [2, 3],
        [6, 3]
      ],
      nib
    )
    const column = Array.from({ length: 7 }, (_, y) => canvas.ink[y * 9 + 4])
    expect(column).toEqual([0, 0.25, 0.75, 1, 0.75, 0.25, 0])
    const before = canvas.ink.slice()
    Pen.draw(
      canvas,
      [
        [2, 3],
        [6, 3]
      ],
      nib
    )
    expect(canvas.ink).toEqual(before)
    expect(canvas.ink[3 * 9 + 0]).toBe(0.25)
  })

  it("draws a dot for a stroke without length, and clips at the edges", () => {
    const canvas = Pen.paper(3, 3)
    Pen.draw(
      canvas,
      [
        [0, 0],
        [0, 0]
      ],
      { radius: 0.5, soft: 0.5 }
    )
    expect([...canvas.ink]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0])
    Pen.draw(
      canvas,
      [
        [-9, -9],
        [-5, -9]
      ],
      { radius: 1, soft: 1 }
    )
    expect([...canvas.ink]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0])
  })

  it("wipes a rectangle, as far as it lies on the canvas", () => {
    const canvas = Pen.paper(3, 3)
    canvas.ink.fill(1)
    Pen.erase(canvas, 1, 1, 9, 1)
    expect([...canvas.ink]).toEqual([1, 1, 1, 1, 0, 0, 1, 1, 1])
    Pen.erase(canvas, 7, 0, 2, 3)
    Pen.erase(canvas, -3, 0, 2, 3)
    expect([...canvas.ink]).toEqual([1, 1, 1, 1, 0, 0, 1, 1, 1])
  })
})
