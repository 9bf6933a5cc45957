/**
 * Replays `api/state_dict.json`: which names a state has at which stage, what loads do, and round trips.
 *
 * Names and layouts are compared as the reference has them, so that what is written here is what PyTorch reads.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import * as PyTorch from "../../../src/exchange/PyTorch.ts"
import * as Names from "../../../src/exchange/PyTorchNames.ts"
import * as Layer from "../../../src/nn/Layer.ts"
import * as Linear from "../../../src/nn/Linear.ts"
import * as Model from "../../../src/nn/Model.ts"
import * as State from "../../../src/nn/State.ts"
import * as Weighted from "../../../src/nn/Weighted.ts"
import * as QuantProxy from "../../../src/proxy/QuantProxy.ts"
import * as None from "../../../src/quant/None.ts"
import * as LeasedRef from "../../../src/tensor/LeasedRef.ts"
import type * as Stored from "../../../src/tensor/Stored.ts"
import { type BackendName, type Case, failed, type Outcome, unsupported } from "../Case.ts"
import { onAsync, tensorOf } from "./Core.ts"
import { answerOf } from "./layers/Answer.ts"
import { asItIs, outputLast } from "./layers/Layout.ts"
import { type Difference, differences, outcomeOf } from "./quantizers/Compared.ts"
import { complaint, expectedLoad } from "./stateDict/Complaint.ts"
import * as Subject from "./stateDict/Subject.ts"

type Observed = Readonly<Record<string, unknown>>
type Scene = Effect.Effect<Outcome, unknown, Scope.Scope>
type Kind = (testCase: Case, layer: Layer.Layer) => Scene

// ---- what scenes share --------------------------------------------------------------------------------------

const answer = (layer: Layer.Layer, x: tf.Tensor, mode: Layer.Mode) =>
  Effect.map(Layer.forward(layer, x, mode), (y) => answerOf(y, asItIs))

const forwards = (layer: Layer.Layer, inputs: ReadonlyArray<tf.Tensor>) =>
  Effect.forEach(inputs, (x) => Layer.forward(layer, x, Layer.training), { discard: true })

const shapesOf = (tensors: Stored.Tensors): Observed =>
  Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]))

/** The same names on both sides, in whatever order, and the same shapes. */
const sameShapes = (expected: Observed, actual: Observed, path: string): ReadonlyArray<Difference> => {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
  return names
    .filter((name) => JSON.stringify(expected[name]) !== JSON.stringify(actual[name]))
    .map((name) => ({
      path: `${path}.${name}`,
      text: `${path}.${name}: expected ${JSON.stringify(expected[name])}, got ${JSON.stringify(actual[name])}`
    }))
}

/** The reference's name of one of ours. */
const theirsOf = (layer: Layer.Layer) => {
  const byCommon = new Map(Object.keys(Subject.everything(layer)).map((name) => [Names.common(name), name]))
  return (name: string): string => byCommon.get(Names.common(name)) ?? name
}

const policyOf = ({ config }: Case): State.Policy =>
  config.ignore_missing_keys === true ? "float" : config.strict === false ? "report" : "strict"

/** Loads what the case has, and says how it went. */
const loaded = (testCase: Case, layer: Layer.Layer, state: Stored.Tensors) => {
  const policy = policyOf(testCase)
  const options = { policy, reinitialize: testCase.config.reinit_on_state_dict_load !== false }
  const theirs = theirsOf(layer)
  return Effect.map(Effect.result(PyTorch.load(layer, state, options)), (result): Observed => {
    if (Result.isSuccess(result)) {
      const { missing, unexpected } = result.success
      // under the policy "float" the reference does not report what quantizers lack
      return { missing_keys: policy === "float" ? [] : missing.map(theirs).sort(), unexpected_keys: unexpected }
    }
    const error = result.failure
    if (error._tag === "MissingKeys") return complaint("missing", error.keys.map(theirs))
    if (error._tag === "UnexpectedKeys") return complaint("unexpected", error.keys)
    if (error._tag === "ShapeMismatch") return complaint("size", [theirs(/"(.*)"/.exec(error.what)?.[1] ?? "")])
    return { error: error.message }
  })
}

/** The parameters of a case and the forwards before it begins. */
const begun = ({ inputs }: Case, layer: Layer.Layer) =>
  Effect.gen(function* () {
    yield* PyTorch.load(layer, Subject.stored(inputs.params), "report")
    yield* forwards(layer, (inputs.forwards_before ?? []).map(tensorOf))
  })

// ---- kinds --------------------------------------------------------------------------------------------------

const keys: Kind = (testCase, layer) =>
  Effect.gen(function* () {
    const { outputs } = testCase
    const found: Array<Difference> = []
    const stage = (name: string) =>
      Effect.map(PyTorch.toStateDict(layer), (state) => {
        found.push(...sameShapes(outputs[name], shapesOf(state), name))
      })
    yield* stage("at_init")
    // what is saved without being learned is a parameter here
    const learned = Subject.learned(layer, outputs.parameters).filter(
      (name) => !/bit_width\.bit_width$|_impl\.bit_width$/.test(name)
    )
    found.push(...differences([...outputs.parameters].sort(), [...learned].sort(), "parameters"))
    const x = Subject.anyInput(testCase)
    yield* forwards(layer, [x])
    yield* stage("after_1_train_forwards")
    yield* forwards(layer, [x, x])
    yield* stage("after_3_train_forwards")
    return outcomeOf(testCase, found)
  })

/** The same values, to the bit. */
const unchanged = (before: Observed, after: Observed): ReadonlyArray<Difference> => {
  const bits = (all: Observed): string =>
    JSON.stringify(Object.entries(all).map(([name, x]) => [name, x instanceof tf.Tensor ? [...x.dataSync()] : x]))
  return bits(before) === bits(after) ? [] : [{ path: "unchanged", text: "a load that failed has changed something" }]
}

const load: Kind = (testCase, layer) =>
  Effect.gen(function* () {
    const { inputs, outputs } = testCase
    yield* begun(testCase, layer)
    const before = Subject.everything(layer)
    const load = yield* loaded(testCase, layer, Subject.stored(inputs.state_dict))
    const after = Subject.everything(layer)
    const saved = shapesOf(yield* PyTorch.toStateDict(layer))
    const y = yield* answer(layer, tensorOf(inputs.x), Layer.evaluation)
    const scale =
      outputs.weight_scale === undefined
        ? undefined
        : Subject.there(yield* Weighted.scale(layer as Weighted.Weighted), "weight")
    // our load is all or nothing, whatever the reference's leaves behind
    const kept = outputs.load.error === undefined ? after : before
    return outcomeOf(testCase, [
      ...differences(outputs.state_before, before, "state_before"),
      ...differences(expectedLoad(outputs.load), load, "load"),
      ...unchanged(kept, after),
      ...differences(outputs.state_after, after, "state_after"),
      ...sameShapes(outputs.state_dict_keys_after, saved, "state_dict_keys_after"),
      ...differences(outputs.eval_output, y, "eval_output"),
      ...differences(outputs.weight_scale, scale, "weight_scale").filter(() => scale !== undefined)
    ])
  })

const roundtrip: Kind = (testCase, source) =>
  Effect.gen(function* () {
    const { inputs, outputs } = testCase
    yield* begun(testCase, source)
    const state = yield* PyTorch.toStateDict(source)
    const found: Array<Difference> = [
      ...sameShapes(
        Object.fromEntries(Object.entries(outputs.saved).map(([name, one]) => [name, (one as Subject.Written).shape])),
        shapesOf(state),
        "saved"
      ),
      ...Object.entries(outputs.saved).flatMap(([name, one]) => {
        const saved = state[name]
        return saved === undefined ? [] : differences(one, Subject.tensorOf(saved), `saved.${name}`)
      }),
      ...differences(outputs.state_source, Subject.everything(source), "state_source")
    ]
    const fresh = yield* Subject.make(testCase) as NonNullable<ReturnType<typeof Subject.make>>
    const strict = { ...testCase, config: { ...testCase.config, strict: true } }
    const load = yield* loaded(strict, fresh, state)
    if (outputs.load !== "ok")
      return outcomeOf(testCase, [...found, ...differences(expectedLoad(outputs.load), load, "load")])
    found.push(...differences({ missing_keys: [], unexpected_keys: [] }, load, "load"))
    found.push(...differences(outputs.state_loaded, Subject.everything(fresh), "state_loaded"))
    const x = tensorOf(inputs.x)
    for (const [name, mode] of [
      ["eval", Layer.evaluation],
      ["train", Layer.training]
    ] as const)
      for (const [which, layer] of [
        ["source", source],
        ["loaded", fresh]
      ] as const) {
        const key = `${name}_${which}`
        found.push(...differences(outputs[key], yield* answer(layer, x, mode), key))
      }
    return outcomeOf(testCase, found)
  })

/** A bias for a layer that was made without one. */
const createdBias: Kind = (testCase, layer) =>
  Effect.gen(function* () {
    const { inputs, outputs } = testCase
    const strict = { ...testCase, config: { ...testCase.config, strict: true } }
    const state = Subject.stored(inputs.state_dict)
    const refused = yield* loaded(strict, layer, state)
    const again = yield* loaded(strict, layer, state)
    const biased = yield* Linear.quantLinear({ inFeatures: 3, outFeatures: 2 })
    const load = yield* loaded(strict, biased, state)
    return outcomeOf(testCase, [
      ...differences(expectedLoad(outputs.normal), refused, "normal"),
      // there is no mode in which it would be created
      ...differences({ missing_keys: [], unexpected_keys: [] }, again, "in_mode")
        .slice(0, 1)
        .map((one) => ({ ...one, path: "in_mode" })),
      ...differences({ missing_keys: [], unexpected_keys: [] }, load, "with_bias"),
      ...differences(outputs.bias_after, Subject.everything(biased).bias, "bias_after")
    ])
  })

/** A weight that changes under a learned scale, with and without beginning anew. */
const reinit: Kind = (testCase, layer) =>
  Effect.gen(function* () {
    const { inputs, outputs } = testCase
    const weighted = layer as Weighted.Weighted
    const scale = Weighted.scale(weighted)
    const weight = Subject.stored({ weight: inputs.weight })
    const tripled = Subject.stored({
      weight: { ...inputs.weight, data: inputs.weight.data.map((w: number) => Math.fround(Math.fround(w) * 3)) }
    })
    const keeping = { policy: "report", reinitialize: false } as const
    yield* PyTorch.load(layer, weight, "report")
    const first = yield* scale
    yield* PyTorch.load(layer, tripled, keeping)
    const after = yield* scale
    // what was learned is loaded into the quantizer that begins anew
    yield* State.load(layer, yield* State.extract(layer), "strict")
    const preserving = yield* scale
    yield* QuantProxy.reload(weighted.weightQuant as QuantProxy.QuantProxy)
    return outcomeOf(testCase, [
      ...differences(outputs.scale_first, first, "scale_first"),
      ...differences(outputs.scale_after_tripling, after, "scale_after_tripling"),
      ...differences(outputs.scale_after_preserving_reinit, preserving, "scale_after_preserving_reinit"),
      ...differences(outputs.scale_after_reinit, yield* scale, "scale_after_reinit")
    ])
  })

/** Two layers with one proxy, saved under both names. */
const sharedKeys = (testCase: Case): Scene =>
  Effect.gen(function* () {
    const isLearned = Object.keys(testCase.outputs.at_init).some((name) => name.endsWith(".value"))
    const sizes = { inFeatures: 3, outFeatures: 2, hasBias: false }
    const first = isLearned
      ? yield* Linear.quantLinear({ ...sizes, weight: { scalingImplType: "parameter", scalingConst: 0.5 } })
      : yield* Linear.quantLinear(sizes)
    const second = yield* Linear.quantLinear({ ...sizes, weightQuant: first.weightQuant ?? null })
    const model = Model.sequential({ "0": first, "1": second }) as Layer.Layer
    const state = yield* PyTorch.toStateDict(model)
    const back = yield* PyTorch.load(model, state, "strict")
    return outcomeOf(testCase, [
      ...sameShapes(testCase.outputs.at_init, shapesOf(state), "at_init"),
      ...differences(Object.keys(state).length, back.adopted.length, "loaded")
    ])
  })

/** A proxy whose declaration does not quantize: the weight as it is. */
const disabled = (testCase: Case): Scene =>
  Effect.gen(function* () {
    const { inputs, outputs } = testCase
    const sizes = { inFeatures: 3, outFeatures: 2, hasBias: false }
    const layer = yield* Linear.quantLinear({ ...sizes, weightQuant: None.NoneWeightQuant })
    yield* PyTorch.load(layer, Subject.stored({ weight: inputs.weight }))
    const proxy = layer.weightQuant as QuantProxy.QuantProxy
    const { weight } = yield* State.parameters(layer)
    const [quantized] = Layer.quantize(Layer.read(layer), proxy, weight as tf.Tensor, Layer.evaluation)
    const { quantizer } = LeasedRef.current(proxy.cell)
    const through = answerOf(quantized, outputLast)
    return outcomeOf(testCase, [
      ...differences(outputs.quant_weight, through, "quant_weight"),
      ...differences(outputs.is_quant_enabled, quantizer !== undefined, "is_quant_enabled"),
      ...differences(outputs.scale, through.scale ?? null, "scale")
    ])
  })

const sceneOf: Readonly<Record<string, Kind>> = { keys, load, roundtrip, load_mode: createdBias, reinit }
/** Cases that say themselves which layers they have. */
const withoutLayer: Readonly<Record<string, (testCase: Case) => Scene>> = { keys: sharedKeys, disable: disabled }

export const replay = async (testCase: Case, backend: BackendName): Promise<Outcome> => {
  const { kind, layer } = testCase.config
  const scene = Object.hasOwn(sceneOf, kind) ? (sceneOf[kind] as Kind) : undefined
  const alone = layer === undefined ? withoutLayer[kind] : undefined
  if (scene === undefined && alone === undefined) return unsupported(`no case of the kind "${kind}" is replayed`)
  return onAsync(backend, async () => {
    const made = alone === undefined ? Subject.make(testCase) : undefined
    const run = alone?.(testCase) ?? (made && Effect.flatMap(made, (one) => (scene as Kind)(testCase, one)))
    if (run === undefined) return unsupported(`no layer ${layer}`)
    return Effect.runPromise(
      Effect.scoped(run).pipe(
        Effect.catch((error) =>
          Effect.succeed(failed(`failed: ${error instanceof Error ? error.message : String(error)}`))
        )
      )
    )
  })
}
