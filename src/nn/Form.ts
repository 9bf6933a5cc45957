/**
 * What a layer computes apart from its quantizers, as data: for whoever writes it down elsewhere, as an exporter does.
 *
 * Room: nn (level 4). Imports: nothing. Laws: test/exchange/Trace.test.ts.
 */

/** What is added around an image: as much as keeps `ceil(size / stride)`, nothing, or before and after each axis. */
export type Pad = "same" | "valid" | ReadonlyArray<readonly [before: number, after: number]>

/** How windows lie on an image; one number for each of its axes. */
export interface Windows {
  readonly strides: ReadonlyArray<number>
  readonly dilations: ReadonlyArray<number>
  readonly pad: Pad
}

/** A layer without a form can be run, but not written down. */
export type Form =
  /** the value itself; all axes but the first as one */
  | { readonly op: "identity" | "flatten" }
  | { readonly op: "relu" | "sigmoid" | "tanh" }
  /** `factor x + offset`, both constant */
  | { readonly op: "affine"; readonly factor: number; readonly offset: number }
  /** where a quantizer follows, it clips by itself */
  | { readonly op: "hardTanh"; readonly low: number; readonly high: number }
  /** `x W + b`, `W [in, out]` */
  | { readonly op: "linear" }
  /** `W [...kernel, in / groups, out]` */
  | ({ readonly op: "conv"; readonly groups: number } & Windows)
  /** `W [...kernel, out / groups, in]` */
  | ({
      readonly op: "convTranspose"
      readonly groups: number
      readonly outputPadding: ReadonlyArray<number>
    } & Windows)
  /** an average counts the zeros around the image */
  | ({ readonly op: "maxPool" | "averagePool"; readonly size: ReadonlyArray<number> } & Windows)
  | { readonly op: "add" }
  | { readonly op: "concat"; readonly axis: number }
  /** `x w + b` for each channel */
  | { readonly op: "scaleBias" }
  /** with running statistics of each channel, or of all values together */
  | { readonly op: "batchNorm"; readonly epsilon: number; readonly over: "channels" | "all" }
  /** images of another size; lines put quantized values back to their grid */
  | { readonly op: "resizeNearest" }
  | { readonly op: "resizeLinear"; readonly alignCorners: boolean }
  /** averages over as even parts of an image as there are */
  | { readonly op: "averages"; readonly size: readonly [number, number] }
  /** rows of a table, `W [rows, columns]` */
  | { readonly op: "gather" }
  /** two values: the first as it is, the second on its grid */
  | { readonly op: "alignScales" }
  /** over the channels of each position; one that is not centered takes no mean away */
  | { readonly op: "layerNorm"; readonly epsilon: number; readonly centered: boolean }

/** The same number for all axes, or what is given. */
export const padOf = (pad: number | "same" | "valid" | ReadonlyArray<readonly [number, number]>, axes: number): Pad =>
  typeof pad === "number" ? Array.from({ length: axes }, () => [pad, pad] as const) : pad
