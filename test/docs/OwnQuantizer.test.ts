/**
 * The guide "Your own quantizer": its files are compiled and run, are in the guide as they are, and answer what it says; the
 * compiler says what it says.
 */
import { spawnSync } from "node:child_process"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import * as tf from "@tensorflow/tfjs-core"
import { Backend, Brick, Injector, ScaledInt, TensorQuantizer } from "breve"
import { Law } from "breve/laws"
import { Effect, pipe, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Laws from "../../docs/examples/own-quantizer/law.ts"
import * as Layer from "../../docs/examples/own-quantizer/layer.ts"
import * as Look from "../../docs/examples/own-quantizer/look.ts"
import { Int4WeightSpread } from "../../docs/examples/own-quantizer/quantizer.ts"
import { Int4WeightHalfAway } from "../../docs/examples/own-quantizer/rounding.ts"
import { RootMeanSquare } from "../../docs/examples/own-quantizer/statistic.ts"
import * as Tensor from "../../docs/examples/own-quantizer/tensor.ts"

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..")
const folder = "docs/examples/own-quantizer"
const text = (path: string): Promise<string> => readFile(join(root, path), "utf8")
const guide = await text("docs/guide/your-own-quantizer.md")
const texts = [...guide.matchAll(/```text\n([\s\S]*?)\n```/g)].map(([, shown]) => shown as string)

/** Runs a program on the backend and checks that no tensor is left behind. */
const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(program)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )
const tensor = (values: ReadonlyArray<number>, shape: ReadonlyArray<number>) =>
  Effect.acquireRelease(
    Effect.sync(() => tf.tensor([...values], [...shape])),
    (made) => Effect.sync(() => made.dispose())
  )

describe("the statistic", () => {
  it("is a multiple of the root of the mean square, of all or of each row", async () => {
    const x = [3, -4, 0, 0, 5, 0, 12, 0]
    const of = (given: Parameters<typeof RootMeanSquare>[0]) =>
      run(
        Effect.map(tensor(x, [2, 4]), (rows) =>
          tf.tidy(() => {
            const [y] = RootMeanSquare(given).apply({ parameters: {}, memory: {}, training: false }, rows)
            return { shape: y.shape, values: [...y.dataSync()] }
          })
        )
      )
    expect((await of({ spread: 2 })).values[0]).toBeCloseTo(2 * Math.sqrt(194 / 8), 5)
    expect(await of({ spread: 1, statsReduceDim: 1, keepdim: true })).toEqual({ shape: [2, 1], values: [2.5, 6.5] })
    expect((await of({})).values[0]).toBeCloseTo(3 * Math.sqrt(194 / 8), 5)
  })
  it("serves scales per channel as well", () =>
    run(
      Effect.gen(function* () {
        const weight = yield* tensor([3, 30, -4, -40, 0, 0, 0, 0], [4, 2])
        const module = { kind: "Linear", weight, outChannels: 2, outputChannelAxis: 1 }
        const perChannel = pipe(Int4WeightSpread, Injector.let({ scalingPerOutput: "channel" }))
        const { tensorQuant } = yield* Injector.resolveUnknown(perChannel, ["tensorQuant"], { module })
        tf.tidy(() => {
          const { scale } = TensorQuantizer.quantize(tensorQuant as TensorQuantizer.TensorQuantizer, weight)
          expect(scale.shape).toEqual([1, 2])
          const [a, b] = scale.dataSync() as unknown as [number, number]
          expect(a).toBeCloseTo((2.5 * 2.5) / 7, 5)
          expect(b / a).toBeCloseTo(10, 4)
        })
      })
    ))
})

describe("the quantizer", () => {
  it("takes less than 30 lines with its part", async () => {
    const lines = await Promise.all(["statistic.ts", "quantizer.ts"].map((file) => text(`${folder}/${file}`)))
    const count = lines.join("").trimEnd().split("\n").length
    expect(count).toBeLessThan(30)
    expect(guide).toContain(`${count} lines in two`)
  })
  it("quantizes a tensor, as the guide says", async () => {
    const { value, scale } = await run(Effect.flatMap(tensor([0.1, -0.3, 0.2, 2, 0, -0.1], [6]), Tensor.run))
    const root = Math.sqrt((0.01 + 0.09 + 0.04 + 4 + 0.01) / 6)
    expect(scale).toBeCloseTo((2.5 * root) / 7, 6)
    expect(value.map((y) => Math.round(y / (scale ?? 0)) + 0)).toEqual([0, -1, 1, 7, 0, 0])
    expect(guide).toContain(`the scale ${(scale ?? 0).toFixed(3)}`)
    expect(guide).toContain((value[3] ?? 0).toFixed(3))
  })
  it("has the parts that the ready-made one has, but for the statistic", () =>
    run(
      Effect.gen(function* () {
        const parts = (injector: typeof ScaledInt.Int8WeightPerTensorFloat | typeof Int4WeightSpread) =>
          Effect.map(Injector.resolveUnknown(injector, ["tensorQuant"]), ({ tensorQuant }) =>
            Brick.parts(tensorQuant as Brick.Brick).map(([path, label]) => `${path} ${label}`)
          )
        const [mine, theirs] = [yield* parts(Int4WeightSpread), yield* parts(ScaledInt.Int8WeightPerTensorFloat)]
        expect(mine.filter((part) => !theirs.includes(part))).toEqual([
          expect.stringMatching(/^scalingImpl\..*statsImpl RootMeanSquare$/)
        ])
      })
    ))
  it("trains in a layer", async () => {
    const losses = await run(
      Effect.gen(function* () {
        const x = yield* tensor([1, 2, 3, 4, 0, 1, -1, 2, 3, -1, 1, 1], [3, 4])
        return yield* Layer.run(x, yield* tensor([1, 0, 0, 1, 1, 1], [3, 2]))
      })
    )
    const [before, between, after] = losses
    expect(before).toBeGreaterThan(between)
    expect(between).toBeGreaterThan(after)
  })
  it("passes gradients to the weight through the statistic", () =>
    run(
      Effect.gen(function* () {
        const quantizer = yield* Injector.resolve(Int4WeightSpread, "tensorQuant")
        const x = yield* tensor([0.5, -1, 2, 4], [4])
        tf.tidy(() => {
          const state = { parameters: {}, memory: {}, training: true }
          const slope = tf.grad((w) => tf.sum(quantizer.apply({ ...state, tracked: [w] }, w)[0].scale))(x)
          const norm = Math.sqrt((0.25 + 1 + 4 + 16) / 4)
          slope.dataSync().forEach((dx, i) => {
            expect(dx).toBeCloseTo(((2.5 / 7) * ([0.5, -1, 2, 4][i] as number)) / (4 * norm), 5)
          })
        })
      })
    ))
  it("can round otherwise", () =>
    run(
      Effect.gen(function* () {
        const quantizer = yield* Injector.resolve(Int4WeightHalfAway, "tensorQuant")
        const impl = yield* Injector.resolve(Int4WeightHalfAway, "floatToIntImpl")
        expect(Brick.parts(quantizer)).toContainEqual(["intQuant.floatToIntImpl", "HalfAwaySte"])
        const x = yield* tensor([0.5, -0.5, 1.5, 2.5, -2.4], [5])
        tf.tidy(() => {
          const [y] = impl.apply({ parameters: {}, memory: {}, training: false }, x)
          expect([...y.dataSync()]).toEqual([1, -1, 2, 3, -2])
          const passed = tf.grad((t) => tf.sum(impl.apply({ parameters: {}, memory: {}, training: false }, t)[0]))(x)
          expect([...passed.dataSync()]).toEqual([1, 1, 1, 1, 1])
        })
      })
    ))
})

describe("the law", () => {
  it("holds, and would notice", () =>
    run(
      Effect.flatMap(Injector.resolve(Int4WeightSpread, "tensorQuant"), (good) => {
        const broken: TensorQuantizer.TensorQuantizer = {
          ...good,
          apply: (state, x) => {
            const [y, memory] = good.apply(state, x)
            return [{ ...y, value: x }, memory]
          }
        }
        return Effect.promise(async () => {
          expect(await Law.verdict(Laws.fewLevels, good, { seed: 1 })).toEqual({ kind: "kept", runs: 100 })
          expect(await Law.verdict(Laws.fewLevels, broken, { seed: 1 })).toMatchObject({
            kind: "broken",
            reason: expect.stringMatching(/^\d+ levels, more than 16$/)
          })
        })
      })
    ))
})

describe("the guide", () => {
  it("shows each file as it is", async () => {
    const blocks = [...guide.matchAll(/<!-- (docs\/examples\/\S+) -->\n\n```ts\n([\s\S]*?)```/g)]
    for (const [, path, code] of blocks) expect(code, path).toBe(await text(path as string))
    const files = (await readdir(join(root, folder))).map((file) => `${folder}/${file}`)
    expect(blocks.map(([, path]) => path).sort()).toEqual(files.sort())
    expect(guide.match(/```ts\n/g)).toHaveLength(blocks.length)
  })
  it("shows what explain and diagnose answer", async () => expect(texts.at(-1)).toBe((await run(Look.run)).join("\n")))
  it("shows what the compiler says", async () => {
    const said = await compiled((await text(`${folder}/wrong.ts`)).replace(/^ *\/\/ @ts-expect-error.*\n/gm, ""))
    expect(texts).toHaveLength(4)
    for (const shown of texts.slice(0, -1)) expect(said).toContain(shown)
    expect(said.match(/error TS\d+/g)).toHaveLength(4)
    const [end] = guide.match(/required in type '[^']*'/) ?? []
    expect(said.trimEnd().endsWith(`${end}.`)).toBe(true)
  }, 90_000)
})

/** What the compiler says of a file beside the others of the guide. */
async function compiled(code: string): Promise<string> {
  const cache = join(root, "node_modules", ".cache")
  await mkdir(cache, { recursive: true })
  const made = await mkdtemp(join(cache, "breve-guide-"))
  try {
    const file = join(made, "wrong.ts")
    await writeFile(file, code.replaceAll('from "./', `from "${relative(made, join(root, folder))}/`))
    const project = join(made, "tsconfig.json")
    const config = {
      extends: join(root, "test", "tsconfig.json"),
      include: [],
      files: [file]
    }
    await writeFile(project, JSON.stringify(config))
    const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc")
    const options = { encoding: "utf8", timeout: 80_000, env: { ...process.env, GOMEMLIMIT: "2GiB" } } as const
    const said = spawnSync(process.execPath, [compiler, "-p", project], options).stdout
    // what it says of other files is not our concern here: the tests compile them too
    return said
      .split(/^(?=\S)/m)
      .filter((diagnostic) => diagnostic.includes("wrong.ts("))
      .join("")
  } finally {
    await rm(made, { recursive: true })
  }
}
