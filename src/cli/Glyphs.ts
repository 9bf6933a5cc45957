/**
 * How a hand writes the digits 0 to 9: strokes as data, two or three styles for each.
 *
 * Points lie in the unit square, x to the right, y downwards. A `line` goes straight from point to point, a `curve` runs smoothly
 * through them. The shapes are our own.
 *
 * Room: cli (level 6). Imports: nothing.
 */

// ---- model --------------------------------------------------------------------------------------------------

export type Point = readonly [x: number, y: number]

/** One movement of the pen, from the first point to the last. */
export interface Stroke {
  readonly kind: "line" | "curve"
  readonly points: ReadonlyArray<Point>
}

/** One way of writing a digit. */
export type Glyph = ReadonlyArray<Stroke>

// ---- constructors -------------------------------------------------------------------------------------------

const line = (...points: ReadonlyArray<Point>): Stroke => ({ kind: "line", points })
const curve = (...points: ReadonlyArray<Point>): Stroke => ({ kind: "curve", points })

// ---- the shapes ---------------------------------------------------------------------------------------------

const zero: ReadonlyArray<Glyph> = [
  [
    curve(
      [0.5, 0.05],
      [0.23, 0.2],
      [0.15, 0.5],
      [0.23, 0.8],
      [0.5, 0.95],
      [0.77, 0.8],
      [0.85, 0.5],
      [0.77, 0.2],
      [0.5, 0.05]
    )
  ],
  [curve([0.62, 0.08], [0.35, 0.12], [0.2, 0.5], [0.32, 0.88], [0.58, 0.92], [0.78, 0.6], [0.74, 0.25], [0.5, 0.06])]
]

const one: ReadonlyArray<Glyph> = [
  [line([0.5, 0.04], [0.5, 0.96])],
  [line([0.3, 0.26], [0.54, 0.05], [0.54, 0.95])],
  [line([0.32, 0.24], [0.52, 0.06], [0.52, 0.94]), line([0.28, 0.94], [0.76, 0.94])]
]

const two: ReadonlyArray<Glyph> = [
  [
    curve([0.2, 0.26], [0.34, 0.08], [0.6, 0.06], [0.78, 0.26], [0.65, 0.52], [0.4, 0.74], [0.17, 0.94]),
    line([0.17, 0.94], [0.83, 0.94])
  ],
  [
    curve(
      [0.22, 0.2],
      [0.45, 0.05],
      [0.72, 0.16],
      [0.72, 0.42],
      [0.45, 0.76],
      [0.22, 0.9],
      [0.2, 0.74],
      [0.38, 0.74],
      [0.6, 0.9],
      [0.85, 0.88]
    )
  ]
]

const three: ReadonlyArray<Glyph> = [
  [
    curve([0.2, 0.15], [0.5, 0.05], [0.75, 0.22], [0.65, 0.42], [0.42, 0.48]),
    curve([0.42, 0.48], [0.72, 0.55], [0.8, 0.76], [0.55, 0.95], [0.2, 0.85])
  ],
  [
    line([0.2, 0.07], [0.76, 0.07], [0.46, 0.42]),
    curve([0.46, 0.42], [0.74, 0.5], [0.78, 0.78], [0.5, 0.95], [0.2, 0.86])
  ]
]

const four: ReadonlyArray<Glyph> = [
  [line([0.6, 0.05], [0.14, 0.64], [0.86, 0.64]), line([0.63, 0.36], [0.63, 0.95])],
  [line([0.24, 0.08], [0.2, 0.52], [0.8, 0.52]), line([0.75, 0.06], [0.7, 0.95])]
]

const five: ReadonlyArray<Glyph> = [
  [
    line([0.78, 0.06], [0.29, 0.06], [0.25, 0.46]),
    curve([0.25, 0.46], [0.54, 0.38], [0.8, 0.6], [0.66, 0.9], [0.2, 0.9])
  ],
  [curve([0.74, 0.08], [0.4, 0.08], [0.28, 0.26], [0.36, 0.45], [0.62, 0.54], [0.76, 0.74], [0.54, 0.94], [0.22, 0.86])]
]

const six: ReadonlyArray<Glyph> = [
  [
    curve(
      [0.7, 0.06],
      [0.4, 0.24],
      [0.22, 0.6],
      [0.35, 0.92],
      [0.65, 0.92],
      [0.78, 0.7],
      [0.6, 0.52],
      [0.36, 0.58],
      [0.23, 0.72]
    )
  ],
  [
    line([0.62, 0.05], [0.26, 0.6]),
    curve([0.26, 0.6], [0.24, 0.84], [0.5, 0.95], [0.76, 0.8], [0.66, 0.56], [0.4, 0.56], [0.25, 0.7])
  ]
]

const seven: ReadonlyArray<Glyph> = [
  [line([0.17, 0.07], [0.82, 0.07], [0.4, 0.95])],
  [line([0.17, 0.08], [0.8, 0.08]), curve([0.8, 0.08], [0.58, 0.42], [0.44, 0.95]), line([0.34, 0.5], [0.76, 0.5])],
  [line([0.2, 0.2], [0.22, 0.07], [0.8, 0.07], [0.5, 0.95])]
]

const eight: ReadonlyArray<Glyph> = [
  [
    curve(
      [0.5, 0.48],
      [0.26, 0.3],
      [0.3, 0.1],
      [0.5, 0.05],
      [0.7, 0.1],
      [0.74, 0.3],
      [0.5, 0.48],
      [0.23, 0.7],
      [0.28, 0.89],
      [0.5, 0.95],
      [0.72, 0.89],
      [0.77, 0.7],
      [0.5, 0.48]
    )
  ],
  [
    curve(
      [0.74, 0.16],
      [0.48, 0.05],
      [0.27, 0.2],
      [0.4, 0.42],
      [0.64, 0.56],
      [0.74, 0.78],
      [0.5, 0.95],
      [0.26, 0.8],
      [0.38, 0.56],
      [0.62, 0.38],
      [0.72, 0.14]
    )
  ]
]

const nine: ReadonlyArray<Glyph> = [
  [
    curve([0.75, 0.24], [0.5, 0.06], [0.25, 0.25], [0.4, 0.48], [0.65, 0.44], [0.76, 0.22]),
    curve([0.76, 0.22], [0.74, 0.6], [0.56, 0.95])
  ],
  [
    curve([0.74, 0.26], [0.5, 0.05], [0.26, 0.24], [0.4, 0.46], [0.64, 0.42], [0.74, 0.2]),
    line([0.74, 0.2], [0.72, 0.95])
  ],
  [
    curve([0.72, 0.16], [0.42, 0.06], [0.26, 0.3], [0.5, 0.48], [0.73, 0.3], [0.74, 0.12]),
    curve([0.74, 0.12], [0.76, 0.6], [0.62, 0.9], [0.28, 0.88])
  ]
]

/** The styles of each digit, by the digit. */
export const styles: ReadonlyArray<ReadonlyArray<Glyph>> = [zero, one, two, three, four, five, six, seven, eight, nine]
