/**
 * Replays `api/tutorial.json`: builds the quantizers and layers that a case declares and does what its fields ask for.
 *
 * A case is one of five scenes, told apart by `config` and `inputs`: a ready-made quantizer, a quantizer on its own, an
 * activation, a convolution, two convolutions. A scene observes everything that its cases may ask for; what a case lists in
 * `outputs` and `grads` is then compared.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, ManagedRuntime, Result, type Scope } from "effect"
import * as Backend from "../../../src/backend/Backend.ts"
import * as Brick from "../../../src/core/Brick.ts"
import * as QuantTensor from "../../../src/core/QuantTensor.ts"
import type { TensorQuantizer } from "../../../src/core/TensorQuantizer.ts"
import * as Injector from "../../../src/inject/Injector.ts"
import * as Activation from "../../../src/nn/Activation.ts"
import * as Convolution from "../../../src/nn/Convolution.ts"
import * as Layer from "../../../src/nn/Layer.ts"
import * as State from "../../../src/nn/State.ts"
import * as Weighted from "../../../src/nn/Weighted.ts"
import * as Cell from "../../../src/proxy/Cell.ts"
import * as QuantProxy from "../../../src/proxy/QuantProxy.ts"
import {
  type BackendUnavailable,
  MissingDependency,
  MissingKeys,
  type UnexpectedKeys,
  type UnknownSign
} from "../../../src/tensor/Errors.ts"
import { valueAndGradients } from "../../../src/tensor/Gradient.ts"
import * as LeasedRef from "../../../src/tensor/LeasedRef.ts"
import * as Tree from "../../../src/tensor/Tree.ts"
import { type Case, deviation, failed, type Outcome, passed, type Replay, unsupported } from "../Case.ts"
import * as Deviations from "../Deviations.ts"
import { camelCase, component, declared, overrides, readyMade } from "./Declarations.ts"
import * as Numbers from "./Numbers.ts"

type Observed = Readonly<Record<string, unknown>>
interface Observation {
  readonly outputs: Observed
  readonly grads: Observed
}
type Failure = Layer.BuildError | Layer.InputError | MissingKeys | UnexpectedKeys | UnknownSign
type Scene = Effect.Effect<Observation, Failure, Scope.Scope>

// ---- what scenes share --------------------------------------------------------------------------------------

const tensorIn = (testCase: Case, name: string): Effect.Effect<tf.Tensor, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => Numbers.read(Numbers.layoutOf(testCase.config.layout), testCase.inputs[name])),
    (tensor) => Effect.sync(() => tensor.dispose())
  )
const stateIn = (testCase: Case, written: Readonly<Record<string, Numbers.Written>>) =>
  Effect.acquireRelease(
    Effect.sync((): State.StateDict => {
      const layout = Numbers.layoutOf(testCase.config.layout)
      return Object.fromEntries(
        Object.entries(written).map(([name, tensor]) => [nameOf(name), Numbers.read(layout, tensor)])
      )
    }),
    (state) => Effect.sync(() => tf.dispose(state as tf.TensorContainer))
  )

/** "weight_quant.tensor_quant.scaling_impl.value" -> "weightQuant.scalingImpl.value": breve names a proxy's parameters directly. */
const nameOf = (name: string): string =>
  camelCase(name.replace(".fused_activation_quant_proxy", "").replace(".tensor_quant", ""))

/** What both sides can say of a failure. */
const errorOf = (error: Failure): Observed => {
  if (error instanceof MissingDependency)
    return { error: { kind: error._tag, injector: error.injector, attribute: error.attribute } }
  if (error instanceof MissingKeys) return { error: { kind: error._tag, keys: error.keys } }
  return { error: { kind: error._tag } }
}
const expectedError = ({ kind, message }: { readonly kind: string; readonly message: string }): Observed => {
  const missing = /^'(.*)' can not resolve attribute '(.*)'$/.exec(message)
  if (missing !== null)
    return { error: { kind: "MissingDependency", injector: missing[1], attribute: camelCase(missing[2] as string) } }
  const keys = Deviations.missingKeys(message)
  if (keys !== undefined) return { error: { kind: "MissingKeys", keys: keys.map(nameOf) } }
  if (kind === "TypeError") return { error: { kind: "UnknownSign" } }
  throw new Error(`unknown failure ${kind}: ${message}`)
}
const orError = <A, R>(effect: Effect.Effect<A, Failure, R>, write: (a: A) => unknown) =>
  Effect.map(Effect.result(effect), (result) =>
    Result.isSuccess(result) ? write(result.success) : errorOf(result.failure)
  )

/** The gradients of `sum(value * upstream)` by name, or nothing if the case has none. */
const gradientsOf = (
  testCase: Case,
  parameters: Readonly<Record<string, tf.Tensor>>,
  values: () => ReadonlyArray<tf.Tensor>
): Observed => {
  if (testCase.inputs?.upstream === undefined) return {}
  const layout = Numbers.layoutOf(testCase.config.layout)
  return Numbers.tidied(() => {
    const upstream = Numbers.read(layout, testCase.inputs.upstream)
    const loss = (): tf.Tensor => tf.addN(values().map((value) => tf.sum(tf.mul(value, upstream))))
    const { gradients } = valueAndGradients(loss, Object.values(parameters))
    return Object.fromEntries(
      Object.keys(parameters).map((name, i) => {
        const gradient = gradients[i]
        return [name, gradient === null || gradient === undefined ? null : Numbers.write(layout, gradient)]
      })
    )
  })
}

/** The own cell of a layer and its proxies' cells: all parameters by name. */
const allParameters = (layer: Layer.Layer): Readonly<Record<string, tf.Tensor>> =>
  Object.fromEntries(
    layer.cells.flatMap(([prefix, cell]) =>
      Tree.leaves(LeasedRef.current(cell).parameters).map(([name, leaf]) => [
        prefix === "" ? name : `${prefix}.${name}`,
        leaf
      ])
    )
  )

/** Changes parameters as an optimizer does: in the cell, without any resolution. */
const step = (cell: Cell.Cell, f: (parameter: tf.Tensor, name: string) => tf.Tensor): Effect.Effect<void> =>
  Effect.sync(() => {
    const { parameters, memory } = LeasedRef.current(cell)
    Cell.commit(cell, { parameters: Tree.map(parameters, f), memory })
  })

const written = (tensor: tf.Tensor): Numbers.Written => {
  const result = { shape: tensor.shape, data: [...tensor.dataSync()] }
  tensor.dispose()
  return result
}

// ---- a ready-made quantizer ---------------------------------------------------------------------------------

const catalogueScene = (testCase: Case): Scene =>
  Effect.gen(function* () {
    const injector = readyMade(testCase.config.quantizer)
    const resolved = Effect.map(
      Injector.resolveUnknown(injector, ["tensorQuant"]),
      ({ tensorQuant }) => tensorQuant as TensorQuantizer
    )
    const [first, second] = [yield* resolved, yield* resolved]
    return {
      outputs: {
        is_subclass_of_ExtendedInjector: Injector.isInjector(injector),
        tree: Brick.parts(first),
        is_new_instance_per_access: first !== second
      },
      grads: {}
    }
  })

// ---- a quantizer on its own ---------------------------------------------------------------------------------

const byHand = ({ config }: Case): Injector.Any =>
  Injector.make({
    tensorQuant: component(config.tensor_quant),
    scalingImpl: component(config.scaling_impl),
    scalingInit: config.scaling_init
  }) as Injector.Any

const quantizerScene = (testCase: Case): Scene =>
  Effect.gen(function* () {
    const { get, injectors } = testCase.config
    const injector = get === undefined ? byHand(testCase) : declared(injectors, get[0])
    const attribute = get === undefined ? "tensorQuant" : camelCase(get[1])
    const quantizer = (yield* Injector.resolveUnknown(injector, [attribute]))[attribute] as TensorQuantizer
    const x = yield* tensorIn(testCase, "x")
    const { parameters, memory } = quantizer
    const quantized = () => quantizer.apply({ parameters, memory, training: true }, x)[0]
    const layout = Numbers.layoutOf(undefined)
    const outputs = Numbers.tidied(() => {
      const { value, scale, zeroPoint, bitWidth } = quantized()
      const write = (tensor: tf.Tensor) => Numbers.write(layout, tensor)
      return { value: write(value), scale: write(scale), zero_point: write(zeroPoint), bit_width: write(bitWidth) }
    })
    const grads = gradientsOf(testCase, { x, ...Object.fromEntries(Tree.leaves(parameters)) }, () => [
      quantized().value
    ])
    return { outputs, grads }
  })

// ---- an activation ------------------------------------------------------------------------------------------

const activationScene = (testCase: Case): Scene =>
  Effect.gen(function* () {
    const { config } = testCase
    const kwargs = config.kwargs ?? {}
    const layout = Numbers.layoutOf(config.layout)
    const options = {
      actQuant: declared(config.injectors, config.act_quant),
      act: overrides(kwargs, "", ["return_quant_tensor"]),
      returnQuantTensor: kwargs.return_quant_tensor
    }
    const built = yield* Effect.result(Activation.quantIdentity(options as never))
    if (Result.isFailure(built)) return { outputs: { build: errorOf(built.failure) }, grads: {} }
    const layer = built.success
    const x = yield* tensorIn(testCase, "x")
    const grads = gradientsOf(testCase, { x, ...allParameters(layer) }, () => {
      const [y] = layer.apply(Layer.read(layer), x, Layer.training)
      return ["value" in y ? y.value : y]
    })
    const y = yield* Layer.forward(layer, x, Layer.training)
    const out = Numbers.writeValue(layout, y)
    tf.dispose(y as unknown as tf.TensorContainer)
    return { outputs: { build: "ok", out }, grads }
  })

// ---- convolutions -------------------------------------------------------------------------------------------

const convolution = ({ config }: Case, weightQuant?: QuantProxy.QuantProxy) =>
  Convolution.quantConv2d({
    inChannels: config.args.in_channels,
    outChannels: config.args.out_channels,
    kernelSize: config.args.kernel_size,
    hasBias: config.args.bias,
    weightQuant: weightQuant ?? declared(config.injectors, config.weight_quant),
    weight: overrides(config.kwargs ?? {}, "weight_")
  } as never)

const proxyOf = (layer: Weighted.Weighted): QuantProxy.QuantProxy => {
  if (layer.weightQuant === undefined) throw new Error("the layer does not quantize its weight")
  return layer.weightQuant
}
const weightOf = (layer: Weighted.Weighted): tf.Tensor => LeasedRef.current(layer.own).parameters.weight as tf.Tensor

const scaleOf = (testCase: Case, layer: Weighted.Weighted) =>
  Effect.map(Layer.scaleOf(proxyOf(layer), weightOf(layer)), (scale) => {
    const outside = Numbers.write(Numbers.layoutOf(testCase.config.layout), scale)
    scale.dispose()
    return outside
  })
const largest = (layer: Weighted.Weighted): Numbers.Written => written(tf.tidy(() => tf.max(tf.abs(weightOf(layer)))))

const quantWeight = (testCase: Case, layer: Weighted.Weighted) =>
  orError(Weighted.quantWeight(layer, Layer.training), (quantized) => {
    const result = Numbers.writeValue(Numbers.layoutOf(testCase.config.layout), quantized)
    tf.dispose(quantized as unknown as tf.TensorContainer)
    return result
  })

/** The weight's value as training sees it, on the tape. */
const quantizedWeight = (layer: Weighted.Weighted): tf.Tensor =>
  QuantTensor.dequantized(Layer.quantize(Layer.read(layer), proxyOf(layer), weightOf(layer), Layer.training)[0])

const policyOf = ({ config }: Case): State.Policy =>
  config.ignore_missing_keys === true ? "float" : config.strict === false ? "report" : "strict"

/** Under the policy "float" what a quantizer lacks is not missing, as with the reference's IGNORE_MISSING_KEYS. */
const missingOf = (policy: State.Policy, { missing }: State.Loaded): ReadonlyArray<string> =>
  policy === "float" ? missing.filter((name) => !name.includes(".")) : missing

const convolutionScene = (testCase: Case): Scene =>
  Effect.gen(function* () {
    const { config, inputs } = testCase
    const layout = Numbers.layoutOf(config.layout)
    const layer = yield* convolution(testCase)
    const { weight, bias } = inputs
    yield* State.assign(layer, yield* stateIn(testCase, { weight, ...(bias !== undefined && { bias }) }))
    const before = yield* scaleOf(testCase, layer)
    const policy = policyOf(testCase)
    const load =
      inputs.state_dict === undefined
        ? {}
        : yield* orError(State.load(layer, yield* stateIn(testCase, inputs.state_dict), policy), (loaded) => ({
            missing_keys: missingOf(policy, loaded),
            unexpected_keys: loaded.unexpected
          }))
    const factor = config.learned_scale_multiplied_by
    if (factor !== undefined) yield* step(proxyOf(layer).cell, (parameter) => tf.tidy(() => tf.mul(parameter, factor)))
    const quantized = (yield* quantWeight(testCase, layer)) as Observed
    const scale = yield* scaleOf(testCase, layer)
    const { quantizer, signed } = LeasedRef.current(proxyOf(layer).cell)
    const weightAfter = Numbers.write(layout, weightOf(layer))
    return {
      outputs: {
        build: "ok",
        quant_weight: quantized,
        is_valid: quantized.is_valid,
        is_signed: signed ?? null,
        raw_quantized_value: Numbers.tidied(() => Numbers.write(layout, quantizedWeight(layer))),
        weight_abs_max: largest(layer),
        scale_equals_max: scale.data[0] === largest(layer).data[0],
        state_dict_keys: Object.keys(yield* State.parameters(layer)),
        tensor_quant_class: quantizer?.label,
        scale_before: before,
        scale_after: scale,
        weight_after: weightAfter,
        load,
        ...(load as Observed)
      },
      grads: gradientsOf(testCase, allParameters(layer), () => [quantizedWeight(layer)])
    }
  })

/** The weight of a layer is replaced: in place, as an optimizer does, or as a load does. */
const replacementScene = (testCase: Case): Scene =>
  Effect.gen(function* () {
    const { outputs } = testCase
    const layer = yield* convolution(testCase)
    const state = yield* stateIn(testCase, { weight: testCase.inputs.new_weight })
    const newMax = Math.max(...testCase.inputs.new_weight.data.map(Math.abs))
    const isNewMax = (scale: Numbers.Written): boolean => scale.data[0] === Math.fround(newMax)
    if (outputs.scale_stale === undefined) {
      yield* State.assign(layer, state)
      const after = yield* scaleOf(testCase, layer)
      return { outputs: { scale_after: after, equals_new_max: isNewMax(after) }, grads: {} }
    }
    // the file lacks the first weight: any with its largest magnitude does
    const shape = weightOf(layer).shape
    yield* Effect.acquireUseRelease(
      Effect.sync(() => tf.fill(shape, outputs.scale_before.data[0])),
      (weight) => State.assign(layer, { weight }),
      (weight) => Effect.sync(() => weight.dispose())
    )
    const before = yield* scaleOf(testCase, layer)
    yield* step(layer.own, (parameter, name) => (name === "weight" ? (state.weight as tf.Tensor).clone() : parameter))
    const stale = yield* scaleOf(testCase, layer)
    yield* QuantProxy.reload(proxyOf(layer))
    const after = yield* scaleOf(testCase, layer)
    return {
      outputs: {
        scale_before: before,
        scale_stale: stale,
        stale_equals_new_max: isNewMax(stale),
        scale_after_init_tensor_quant: after,
        after_equals_new_max: isNewMax(after)
      },
      grads: {}
    }
  })

/** Two layers with one declaration, or with one proxy. */
const pairScene = (testCase: Case): Scene =>
  Effect.gen(function* () {
    const { config, inputs, outputs } = testCase
    const sharing = outputs.same_proxy === true || outputs.scale_seen_by_layer2 !== undefined
    const first = yield* convolution(testCase)
    const given = (layer: Weighted.Weighted, name: string) =>
      Effect.gen(function* () {
        if (inputs[name] === undefined) return
        const { bias } = yield* State.parameters(layer)
        const { weight } = yield* stateIn(testCase, { weight: inputs[name] })
        yield* State.load(
          layer,
          { weight: weight as tf.Tensor, bias: bias as tf.Tensor },
          config.ignore_missing_keys === true ? "float" : "report"
        )
      })
    const loadsLater = config.ignore_missing_keys === true
    if (!loadsLater) yield* given(first, "weight1")
    const alone = yield* scaleOf(testCase, first)
    const second = yield* convolution(testCase, sharing ? proxyOf(first) : undefined)
    yield* given(second, "weight2")
    if (loadsLater) yield* given(first, "weight1")
    if (config.new_scale_of_layer1 !== undefined)
      yield* step(proxyOf(first).cell, ({ shape }) => tf.fill(shape, config.new_scale_of_layer1))
    const [scale1, scale2] = [yield* scaleOf(testCase, first), yield* scaleOf(testCase, second)]
    const parameters = {
      weight1: weightOf(first),
      weight2: weightOf(second),
      ...Object.fromEntries(Tree.leaves(LeasedRef.current(proxyOf(first).cell).parameters))
    }
    return {
      outputs: {
        same_proxy: first.weightQuant === second.weightQuant,
        scale_equal: scale1.data[0] === scale2.data[0],
        tracked_modules: proxyOf(first).modules.current.length,
        scale1,
        scale2,
        scale: scale1,
        scale_one_layer: alone,
        scale_two_layers: scale1,
        changed: alone.data[0] !== scale1.data[0],
        scale_seen_by_layer2: scale2,
        quant_weight1: yield* quantWeight(testCase, first),
        quant_weight2: yield* quantWeight(testCase, second)
      },
      grads: gradientsOf(testCase, parameters, () => [quantizedWeight(first), quantizedWeight(second)])
    }
  })

// ---- comparing ----------------------------------------------------------------------------------------------

const sceneOf = (testCase: Case): Scene | undefined => {
  const { config, inputs, outputs } = testCase
  if (config.quantizer !== undefined) return catalogueScene(testCase)
  if (config.layer === undefined) return quantizerScene(testCase)
  if (config.layer === "QuantIdentity") return activationScene(testCase)
  if (config.layer !== "QuantConv2d") return undefined
  if (inputs.weight1 !== undefined || outputs.scale2 !== undefined) return pairScene(testCase)
  return inputs.new_weight === undefined ? convolutionScene(testCase) : replacementScene(testCase)
}

/** The outputs of a case in the terms of breve: names in camelCase, failures as what both sides can say. */
const translated = (key: string, expected: unknown): unknown => {
  if (key === "tree")
    return (expected as ReadonlyArray<[string, string]>).map(([path, label]) => [camelCase(path), label])
  if (key.endsWith("_keys")) return (expected as ReadonlyArray<string>).map(nameOf)
  if (typeof expected === "object" && expected !== null && "error" in expected)
    return expectedError(expected.error as { kind: string; message: string })
  return expected
}

const runtime = ManagedRuntime.make(Backend.layer)

export const replay: Replay = async (testCase: Case): Promise<Outcome> => {
  const scene = sceneOf(testCase)
  if (scene === undefined) return unsupported(`no layer "${testCase.config.layer}" is replayed`)
  const counted: Effect.Effect<Observation & { leaked: number }, Failure | BackendUnavailable, Backend.Backend> =
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const observation = yield* Effect.scoped(scene)
      return { ...observation, leaked: tf.memory().numTensors - before }
    })
  const { outputs, grads, leaked } = await runtime.runPromise(counted)
  if (leaked !== 0) return failed(`${leaked} tensors were left behind`)
  const differences = Object.entries(testCase.outputs).flatMap(([key, expected]) => {
    const found = Numbers.difference(translated(key, expected), outputs[key], Numbers.forValues, key)
    return found === undefined ? [] : [{ key, found }]
  })
  const expectedGrads = Object.fromEntries(
    Object.entries((testCase.grads ?? {}) as Observed).map(([name, gradient]) => [nameOf(name), gradient])
  )
  const wrong = Numbers.difference(expectedGrads, grads, Numbers.forGradients, "gradient of ")
  if (wrong !== undefined) return failed(wrong)
  const [first] = differences
  if (first === undefined) return passed
  const rule = Deviations.explaining(testCase, testCase.outputs, {
    ...outputs,
    differing: differences.map(({ key }) => key)
  })
  return rule === undefined ? failed(differences.map(({ found }) => found).join("; ")) : deviation(rule.id)
}
