/**
 * How the elements of a tensor find those of its operands: the shapes that broadcasting gives, as four loops one in another.
 *
 * Room: op (level 1). Imports: none. Laws: test/op/FakeQuant.test.ts, test/op/MinifloatQuant.test.ts.
 */

/** How elements find their scale and zero-point: x is outer x repeats x channels x inner; one for each outer and channel, or one. */
export type Layout = Readonly<Record<"outer" | "repeats" | "channels" | "inner" | "scaleStep" | "zeroStep", number>>

const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((all, size) => all * size, 1)

/** Which axes of x an operand varies along; `undefined` where it does not fit into the shape of x. */
const varying = (shape: ReadonlyArray<number>, operand: ReadonlyArray<number>): ReadonlyArray<boolean> | undefined => {
  const missing = shape.length - operand.length
  if (missing < 0) return undefined
  const axes = shape.map((size, axis) => (operand[axis - missing] ?? 1) === size)
  const fits = shape.every((_, axis) => axes[axis] || (operand[axis - missing] ?? 1) === 1)
  return fits ? axes : undefined
}

/**
 * The layout of these shapes; `undefined` where the kernels have none.
 *
 * - formula:  element `((o repeats + r) channels + c) inner + i` has the scale `o channels + c`
 * - shapes:   `x [...d], scale and zeroPoint broadcast to [...d]`
 * - gradient: none: shapes, no tensors
 * - errors:   none
 * - source:   none
 *
 * @category layout
 * @since 0.3.0
 */
export const layoutOf = (
  shape: ReadonlyArray<number>,
  scale: ReadonlyArray<number>,
  zeroPoint: ReadonlyArray<number>
): Layout | undefined => {
  const [scaleStep, zeroStep] = [scale, zeroPoint].map((operand) => (product(operand) === 1 ? 0 : 1)) as [
    number,
    number
  ]
  if (scaleStep === 1 && zeroStep === 1 && product(scale) !== product(zeroPoint)) return undefined
  const steps = { scaleStep, zeroStep }
  const [byScale, byZero] = [varying(shape, scale), varying(shape, zeroPoint)]
  if (byScale === undefined || byZero === undefined) return undefined
  const by = scaleStep === 1 ? byScale : byZero
  if (scaleStep === 0 && zeroStep === 0) return { outer: 1, repeats: 1, channels: 1, inner: product(shape), ...steps }
  // axes of size 1 do not matter; runs of axes along which one varies, or does not
  const axes = shape.flatMap((size, axis) =>
    size === 1 ? [] : [{ size, varies: by[axis] === true, other: byZero[axis] === true }]
  )
  if (scaleStep === 1 && zeroStep === 1 && axes.some(({ varies, other }) => varies !== other)) return undefined
  const runs: Array<{ size: number; varies: boolean }> = []
  for (const { size, varies } of axes) {
    const last = runs.at(-1)
    if (last?.varies === varies) last.size *= size
    else runs.push({ size, varies })
  }
  // from the inside: inner (fixed), channels (varying), repeats (fixed), outer (varying)
  const take = (varies: boolean): number => (runs.at(-1)?.varies === varies ? (runs.pop()?.size ?? 1) : 1)
  const [inner, channels, repeats, outer] = [take(false), take(true), take(false), take(true)]
  return runs.length === 0 ? { outer, repeats, channels, inner, ...steps } : undefined
}
