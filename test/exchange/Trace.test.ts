import { Effect, pipe } from "effect"
import { describe, expect, it } from "vitest"
import { type Clamp, TensorClamp } from "../../src/core/Clamp.ts"
import * as Graph from "../../src/exchange/Graph.ts"
import * as GraphConstants from "../../src/exchange/GraphConstants.ts"
import * as Trace from "../../src/exchange/Trace.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Frozen from "../../src/nn/Frozen.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import { onBackends, scoped } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

const lines = ({ nodes }: Graph.Graph): ReadonlyArray<string> =>
  nodes.map(({ operation, inputs, output }) => `${output} = ${operation.op}(${inputs.join(", ")})`)

onBackends("a trace", () => {
  scoped("finds branches, layers within layers, and layers that are called twice", () =>
    Effect.gen(function* () {
      const fc = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 4, hasBias: false })
      const add = yield* Elementwise.quantEltwiseAdd({})
      const inner = Model.sequential({ fc, id: Model.stateless("Id", (x) => x, { op: "identity" }) })
      const model = Model.functional({ inner, add, relu: Model.relu }, (layer, x: Layer.Value) =>
        layer.add([layer.inner(layer.relu(layer.inner(x))), x])
      )
      yield* Networks.train(model, [2, 4])
      const graph = yield* Trace.trace(model, [2, 4])
      expect(lines(graph)).toEqual([
        "inner.fc = linear(input)",
        "relu = relu(inner.fc)",
        "inner.fc_2 = linear(relu)",
        "add.input = quantize(inner.fc_2)",
        "add.input_2 = quantize(input)",
        "add = add(add.input, add.input_2)",
        "add.output = quantize(add)"
      ])
      expect(graph.output).toBe("add.output")
      expect(graph.shapes["inner.fc_2"]).toEqual([2, 4])
    })
  )

  scoped("is data that later training does not change, of a model that it does not change", () =>
    Effect.gen(function* () {
      const model = yield* Networks.mlp(4)
      const before = yield* State.extract(model)
      const graph = yield* Trace.trace(model, Networks.mlpShape)
      const text = JSON.stringify(graph)
      expect(yield* State.extract(model)).toEqual(before)
      yield* Networks.train(model, Networks.mlpShape)
      expect(JSON.stringify(graph)).toBe(text)
      expect(JSON.stringify(yield* Trace.trace(model, Networks.mlpShape))).not.toBe(text)
      const first = graph.nodes.find(({ output }) => output === "relu1.activation")?.operation
      if (first?.op !== "quantize" || first.grid.kind !== "integer") return expect.fail("no grid")
      expect([first.grid.bits, first.grid.signed, first.grid.narrow, first.grid.rounding]).toEqual([
        4,
        false,
        false,
        "nearest"
      ])
      const fc = graph.nodes.find(({ output }) => output === "fc1")?.operation
      if (fc?.op !== "linear") return expect.fail("no linear layer")
      const whole = GraphConstants.integersOf(fc.weight) ?? new Float64Array()
      expect(whole.length).toBe(480)
      expect(Math.max(...whole)).toBe(7)
      expect(Math.min(...whole)).toBe(-7)
    })
  )

  scoped("resolves paddings for the image that it sees", () =>
    Effect.gen(function* () {
      const conv = yield* Convolution.quantConv2d({
        inChannels: 1,
        outChannels: 1,
        kernelSize: [3, 2],
        strides: [2, 1],
        padding: "same"
      })
      const { nodes } = yield* Trace.trace(conv, [1, 6, 5, 1])
      const { operation, output } = nodes[0] as Graph.Node
      expect(operation.op === "conv" && operation.lie.pads).toEqual([
        [0, 1],
        [0, 1]
      ])
      // a model that is a layer has no name
      expect(output).toBe("QuantConv2d")
    })
  )

  scoped("refuses a frozen model, and quantizers that do something else than they say", () =>
    Effect.gen(function* () {
      const frozen = yield* Frozen.make(yield* Networks.mlp(8))
      expect((yield* Effect.flip(Trace.trace(frozen, Networks.mlpShape)))._tag).toBe("NotExportable")
      const honest = yield* Activation.quantIdentity({ actQuant: ScaledInt.Int8ActPerTensorFloat })
      expect(lines(yield* Trace.trace(honest, [2, 40]))).toHaveLength(1)
      // says that it clamps to 8 bits, and does not
      const { passes, ...clamp } = TensorClamp({})
      expect(passes).toBe(false)
      const unbounded: Clamp = { ...clamp, apply: (x) => x }
      const lying = yield* Activation.quantIdentity({
        actQuant: pipe(ScaledInt.Int8ActPerTensorFloat, Injector.let({ tensorClampImpl: unbounded }))
      })
      const error = yield* Effect.flip(Trace.trace(lying, [2, 40]))
      expect(error._tag === "NotExportable" ? error.reason : "").toMatch(/something else than rounding/)
    })
  )
})

describe("numbers", () => {
  const numbers = { shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) }

  it("move with their axes", () => {
    expect(Graph.permuted(numbers, [1, 0])).toEqual({ shape: [3, 2], data: new Float32Array([1, 4, 2, 5, 3, 6]) })
    const cube = { shape: [2, 1, 3], data: numbers.data }
    expect(Graph.permuted(cube, [2, 0, 1])).toEqual({ shape: [3, 2, 1], data: new Float32Array([1, 4, 2, 5, 3, 6]) })
  })

  it("vary along one axis, or several", () => {
    expect(Graph.axisOf({ shape: [3, 1], data: new Float32Array(3) }, 4)).toBe(2)
    expect(Graph.axisOf({ shape: [1], data: new Float32Array(1) }, 4)).toBe(undefined)
    expect(Graph.axisOf(numbers, 2)).toBe("several")
  })

  it("round to even", () => {
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.6].map((x) => GraphConstants.roundEven(x) + 0)).toEqual([
      -2, -2, 0, 0, 2, 2, 3
    ])
  })
})
