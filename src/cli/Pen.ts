/**
 * A pen on a small grey canvas: strokes become points, points become antialiased ink.
 *
 * Only `+ - * / sqrt` are used, so a drawing has the same bytes in every engine.
 *
 * Room: cli (level 6). Imports: ./Glyphs.
 */
import type { Point, Stroke } from "./Glyphs.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** Ink from 0 (paper) to 1 (full), row by row; drawn into in place, by one owner, until it is read. */
export interface Canvas {
  readonly ink: Float32Array
  readonly height: number
  readonly width: number
}

/** `radius` of the full ink and width `soft` of the edge that fades to nothing around it, in pixels. */
export interface Nib {
  readonly radius: number
  readonly soft: number
}

// ---- constructors -------------------------------------------------------------------------------------------

/** White paper. */
export const paper = (height: number, width: number): Canvas => ({
  ink: new Float32Array(height * width),
  height,
  width
})

// ---- from strokes to points ---------------------------------------------------------------------------------

/** Pieces between two points of a curve. */
const steps = 6

/** The points that a stroke passes: a line's own, a curve's (Catmull and Rom 1974) with `steps - 1` more between each two. */
export const flatten = (stroke: Stroke): ReadonlyArray<Point> => {
  const points = stroke.points
  const last = points[points.length - 1]
  if (stroke.kind === "line" || last === undefined) return points
  const between = points.slice(0, -1).flatMap((from, i): ReadonlyArray<Point> => {
    const to = points[i + 1] ?? from
    const before = points[i - 1] ?? from
    const after = points[i + 2] ?? to
    return Array.from({ length: steps }, (_, step): Point => {
      const t = step / steps
      return [spline(before[0], from[0], to[0], after[0], t), spline(before[1], from[1], to[1], after[1], t)]
    })
  })
  return [...between, last]
}

/** Catmull-Rom between `b` (t = 0) and `c` (t = 1). */
const spline = (a: number, b: number, c: number, d: number, t: number): number =>
  b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))

// ---- from points to ink -------------------------------------------------------------------------------------

/** Draws the polyline through `points` (pixels, the centre of the first one at [0, 0]); ink covers ink, it does not add up. */
export const draw = (canvas: Canvas, points: ReadonlyArray<Point>, nib: Nib): void => {
  for (let i = 1; i < points.length; i++) segment(canvas, points[i - 1] ?? [0, 0], points[i] ?? [0, 0], nib)
}

const segment = ({ ink, height, width }: Canvas, from: Point, to: Point, { radius, soft }: Nib): void => {
  const reach = radius + soft
  const [x0, y0] = from
  const dx = to[0] - x0
  const dy = to[1] - y0
  const squared = dx * dx + dy * dy
  const left = Math.max(0, Math.ceil(Math.min(x0, to[0]) - reach))
  const right = Math.min(width - 1, Math.floor(Math.max(x0, to[0]) + reach))
  const top = Math.max(0, Math.ceil(Math.min(y0, to[1]) - reach))
  const bottom = Math.min(height - 1, Math.floor(Math.max(y0, to[1]) + reach))
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const t = squared > 0 ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / squared)) : 0
      const awayX = x - x0 - t * dx
      const awayY = y - y0 - t * dy
      const distance = Math.sqrt(awayX * awayX + awayY * awayY)
      const cover = Math.min(1, Math.max(0, (reach - distance) / soft))
      const at = y * width + x
      if (cover > (ink[at] ?? 0)) ink[at] = cover
    }
  }
}

/** Wipes a rectangle clean; parts outside the canvas do not matter. */
export const erase = (canvas: Canvas, left: number, top: number, width: number, height: number): void => {
  const right = Math.min(canvas.width, left + width)
  for (let y = Math.max(0, top); y < Math.min(canvas.height, top + height); y++) {
    canvas.ink.fill(0, y * canvas.width + Math.max(0, Math.min(left, right)), y * canvas.width + Math.max(0, right))
  }
}
