/**
 * SHA-256 in plain JavaScript: pages that are not served securely have no other one, and an answer at once suits pure functions.
 *
 * Room: exchange (level 5). Imports: nothing. Laws: test/exchange/Sha256.test.ts. Source: FIPS 180-4.
 */

/** The first 32 bits of the fractional parts of the `power`-th roots of the first primes. */
const fractions = (count: number, power: number): Uint32Array => {
  const primes: Array<number> = []
  for (let n = 2; primes.length < count; n++) if (primes.every((p) => n % p !== 0)) primes.push(n)
  // roots in float64 have 53 bits, of which the whole part takes at most 5
  return Uint32Array.from(primes, (p) => (p ** (1 / power) % 1) * 2 ** 32)
}

const constants = fractions(64, 3)
const start = fractions(8, 2)

const rotated = (x: number, by: number): number => (x >>> by) | (x << (32 - by))
const at = (words: Uint32Array, i: number): number => words[i] as number

/** Works one block of 64 bytes into the hash. */
const worked = (hash: Uint32Array, block: DataView, offset: number): void => {
  const w = new Uint32Array(64)
  for (let i = 0; i < 16; i++) w[i] = block.getUint32(offset + 4 * i)
  for (let i = 16; i < 64; i++) {
    const [x, y] = [at(w, i - 15), at(w, i - 2)]
    const s0 = rotated(x, 7) ^ rotated(x, 18) ^ (x >>> 3)
    const s1 = rotated(y, 17) ^ rotated(y, 19) ^ (y >>> 10)
    w[i] = at(w, i - 16) + s0 + at(w, i - 7) + s1
  }
  let [a, b, c, d, e, f, g, h] = hash as unknown as [number, number, number, number, number, number, number, number]
  for (let i = 0; i < 64; i++) {
    const s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(constants, i) + at(w, i)) | 0
    const s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  for (const [i, x] of [a, b, c, d, e, f, g, h].entries()) hash[i] = at(hash, i) + x
}

/** The hash of bytes as 64 hexadecimal digits. */
export const hex = (bytes: Uint8Array): string => {
  const whole = Math.ceil((bytes.length + 9) / 64) * 64
  const padded = new Uint8Array(whole)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setBigUint64(whole - 8, BigInt(bytes.length) * 8n)
  const hash = start.slice()
  for (let offset = 0; offset < whole; offset += 64) worked(hash, view, offset)
  return Array.from(hash, (word) => word.toString(16).padStart(8, "0")).join("")
}
