/**
 * How large files are, as they are and compressed, and how that is said.
 *
 * Room: cli (level 6). Imports: effect.
 */
import { Effect } from "effect"

/** Bytes of a file, and of it after gzip. */
export interface Size {
  readonly bytes: number
  readonly gzip: number
}

/** The size of a file; gzip as the platform compresses by default. */
export const sizeOf = (bytes: Uint8Array): Effect.Effect<Size> =>
  Effect.promise(async () => {
    const packed = new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(new CompressionStream("gzip"))
    return { bytes: bytes.length, gzip: (await new Response(packed).arrayBuffer()).byteLength }
  })

/** `56.7 kB` */
export const kilo = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`

/** `56.7 kB (gzip 40.1)` */
export const text = ({ bytes, gzip }: Size): string => `${kilo(bytes)} (gzip ${(gzip / 1000).toFixed(1)})`
