import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Layer } from "effect"
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Start from "../../src/backend/Start.ts"
import * as Wasm from "../../src/backend/Wasm.ts"
import { BackendUnavailable } from "../../src/tensor/Errors.ts"

type Started = Layer.Layer<Backend.Backend, BackendUnavailable>

const refusal = (layer: Started): Promise<BackendUnavailable> =>
  Effect.runPromise(Effect.flip(Effect.provide(Backend.Backend, layer, { local: true })))
const started = (layer: Started): Promise<string> =>
  Effect.runPromise(Effect.provide(Backend.Backend, layer, { local: true })).then(({ name }) => name)

const installed = join(
  dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json")),
  "dist"
)
const everyBinary = (path: string): Start.Paths => ({
  "tfjs-backend-wasm.wasm": path,
  "tfjs-backend-wasm-simd.wasm": path,
  "tfjs-backend-wasm-threaded-simd.wasm": path
})

let folder = ""
const page = () => join(folder, "page.wasm")
const broken = () => join(folder, "broken.wasm")
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "breve-"))
  await writeFile(page(), "<!doctype html>")
  await writeFile(broken(), Uint8Array.of(0, 0x61, 0x73, 0x6d, 9, 9, 9, 9))
})
afterAll(() => rm(folder, { recursive: true }))

describe("a package that is not installed", () => {
  it("is a typed error that says what to install", async () => {
    const missing = "@tensorflow/tfjs-backend-missing"
    const load = Start.peer(() => import(/* @vite-ignore */ missing).then(Effect.succeed, Start.absent("cpu", missing)))
    const error = await refusal(Start.cpu(load))
    expect(error).toBeInstanceOf(BackendUnavailable)
    expect(error).toMatchObject({ _tag: "BackendUnavailable", backend: "cpu" })
    expect(error.reason).toContain(`npm install ${missing}`)
  })
})

describe.each([
  ["Backend.wasm", Backend.wasm],
  ["Wasm.layerWith", Wasm.layerWith]
])("%s with wrong wasmPaths", (_, layerWith) => {
  it.each([
    ["a folder that is not there", () => "/no/such/folder", "/no/such/folder/tfjs-backend-wasm-simd.wasm"],
    ["files that are not there", () => everyBinary("/no/such.wasm"), "/no/such.wasm"],
    ["a file URL that leads nowhere", () => "file:///no/such/folder/", "file:///no/such/folder/"],
    ["a web address, in Node", () => "http://localhost/", "http://localhost/tfjs-backend-wasm-simd.wasm"],
    ["a page instead of the binary", () => everyBinary(page()), "not a WebAssembly file"],
    ["an incomplete record", () => ({}) as Start.Paths, "no entry for tfjs-backend-wasm-simd.wasm"]
  ])("%s: a typed error", async (_, wasmPaths, named) => {
    const error = await refusal(layerWith({ wasmPaths: wasmPaths() }))
    expect(error).toBeInstanceOf(BackendUnavailable)
    expect(error.message).toContain(named)
  })
})

describe("in a browser", () => {
  const isNode = tf.env().getBool("IS_NODE")
  beforeAll(() => tf.env().set("IS_NODE", false))
  afterAll(() => tf.env().set("IS_NODE", isNode))
  afterEach(() => vi.unstubAllGlobals())

  it.each([
    ["an address that is not served", new Response("", { status: 404 }), "HTTP status 404"],
    [
      "a page for every address",
      new Response("<!doctype html>"),
      "/wasm/tfjs-backend-wasm-simd.wasm is not a WebAssembly"
    ]
  ])("%s: a typed error with the repair", async (_, response, named) => {
    const fetched = vi.fn(async (_path: string) => response)
    vi.stubGlobal("fetch", fetched)
    const error = await refusal(Backend.wasm({ wasmPaths: "/wasm" }))
    expect(fetched).toHaveBeenCalledWith("/wasm/tfjs-backend-wasm-simd.wasm")
    expect(error.message).toContain(named)
    expect(error.message).toContain("wasmPaths")
  })
})

describe("after a refusal", () => {
  it.each([
    ["no paths", {}],
    ["a folder", { wasmPaths: installed }],
    ["a file URL with a slash", { wasmPaths: `${pathToFileURL(installed)}/` }]
  ])("a right start works: %s", async (_, options) => {
    expect(await started(Backend.wasm(options))).toBe("wasm")
    expect([...tf.square([1, 2]).dataSync()]).toEqual([1, 4])
  })
})

// the last ones: they leave the package tfjs-backend-wasm without repair for this process
describe("a binary that cannot be compiled", () => {
  beforeAll(async () => {
    const factory = tf.findBackendFactory("wasm")
    tf.removeBackend("wasm")
    tf.registerBackend("wasm", factory, 2)
    await started(Backend.cpu)
    vi.spyOn(console, "warn").mockReturnValue()
  })
  afterAll(() => vi.restoreAllMocks())

  it("is a typed error, and the backend before stays", async () => {
    const error = await refusal(Backend.wasm({ wasmPaths: everyBinary(broken()) }))
    expect(error).toBeInstanceOf(BackendUnavailable)
    expect(console.warn).toHaveBeenCalled()
    expect([tf.getBackend(), tf.backend().constructor.name]).toEqual(["cpu", "MathBackendCPU"])
    expect([...tf.square([1, 2]).dataSync()]).toEqual([1, 4])
  })

  it("is a typed error again, not a hang", async () => {
    const error = await refusal(Backend.layer)
    expect(error).toBeInstanceOf(BackendUnavailable)
    expect(tf.getBackend()).toBe("cpu")
  })
})
