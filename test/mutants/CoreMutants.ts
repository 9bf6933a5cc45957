/**
 * Mutants of quant tensors, injectors, proxies, layers and their states.
 */
import type { Mutant } from "./Mutant.ts"

const quantTensors: ReadonlyArray<Mutant> = [
  {
    name: "the highest integer needs no bit",
    file: "src/core/QuantWidth.ts",
    text: "ceilLog2(Math.max(high + 1, -low))",
    instead: "ceilLog2(Math.max(high, -low))",
    packs: ["QuantWidthLaws"],
    law: "sums fit"
  },
  {
    name: "products grow by one bit too few",
    file: "src/core/QuantWidth.ts",
    text: "tf.add(single(a.bitWidth), single(b.bitWidth))",
    instead: "tf.sub(tf.add(single(a.bitWidth), single(b.bitWidth)), 1)",
    packs: ["QuantWidthLaws"],
    law: "products fit"
  },
  {
    name: "accumulators are those of the reference",
    file: "src/core/QuantWidth.ts",
    text: "const width = Math.max(usual, holding(bounds, input.signed || weight.signed))",
    instead: "const width = usual + 0 * bounds.low",
    packs: ["QuantWidthLaws"],
    law: "sums of products fit"
  },
  {
    name: "a difference is as wide as its operand",
    file: "src/core/QuantWidth.ts",
    text: "holding({ low: x.low - y.high, high: x.high - y.low }, true)",
    instead: "holding({ low: x.low - y.low, high: x.high }, true)",
    packs: ["QuantWidthLaws"],
    law: "differences fit"
  },
  {
    name: "a sum forgets a zero-point",
    file: "src/core/QuantArithmetic.ts",
    text: "zeroPoint: tf.add(a.zeroPoint, b.zeroPoint),",
    instead: "zeroPoint: tf.add(a.zeroPoint, 0),",
    packs: ["QuantTensorLaws"],
    law: "the integers of a result are the result of integers"
  },
  {
    name: "a negative keeps its zero-point",
    file: "src/core/QuantArithmetic.ts",
    text: "      zeroPoint: tf.neg(x.zeroPoint),",
    instead: "      zeroPoint: tf.add(x.zeroPoint, 0),",
    packs: ["QuantTensorLaws"],
    law: "the integers of a result are the result of integers"
  },
  {
    name: "a product has the scale of one operand",
    file: "src/core/QuantArithmetic.ts",
    text: "scale: tf.mul(a.scale, b.scale),",
    instead: "scale: tf.mul(a.scale, 1),",
    packs: ["QuantTensorLaws"],
    law: "the integers of a result are the result of integers"
  },
  {
    name: "scales stay when the axes move",
    file: "src/core/QuantShape.ts",
    text: "moved(x, turned, turned)",
    instead: "moved(x, turned, (part) => tf.reshape(part, part.shape))",
    packs: ["QuantTensorLaws"],
    law: "the integers of a result are the result of integers"
  },
  {
    name: "every integer fits every width",
    file: "src/core/QuantGrid.ts",
    text: "if (inRange(whole, bits, signed)) return undefined",
    instead: "if (inRange(whole, bits, signed) || bits > 1) return undefined",
    packs: ["QuantTensorLaws"],
    law: "what is off the grid is not valid"
  },
  {
    name: "different scales are alike",
    file: "src/core/QuantScale.ts",
    text: "Math.abs(a - b) <= 1e-8 + 1e-5 * Math.abs(b)",
    instead: "Math.abs(a - b) <= 1e-8 + 10 * Math.abs(b)",
    packs: ["QuantTensorLaws"],
    law: "what has no rule is refused"
  },
  {
    name: "a result shares its operand's scale",
    file: "src/core/QuantValue.ts",
    text: "part.size === 1 && part.rank > rank ? tf.reshape(part, []) : same(part)",
    instead: "part.size === 1 && part.rank > rank ? tf.reshape(part, []) : part",
    packs: ["QuantTensorLaws"],
    law: "a result owns its tensors"
  }
]

const quantizers: ReadonlyArray<Mutant> = [
  {
    name: "a quantizer has one integer too many",
    file: "src/core/IntQuant.ts",
    text: "Range.maxInt(bitWidth, range) : Range.largest(bits, range)",
    instead: "Range.maxInt(bitWidth, range) : Range.largest(bits, range) + 1",
    packs: ["TensorQuantizerLaws"],
    law: "range"
  },
  {
    name: "the threshold is divided by a negative number",
    file: "src/core/IntScaling.ts",
    text: "signed ? -Range.smallest(bits, range) : Range.largest(bits, range)",
    instead: "signed ? Range.smallest(bits, range) : Range.largest(bits, range)",
    packs: ["TensorQuantizerLaws"],
    law: "scales are positive"
  },
  {
    name: "binary values have the wrong sign",
    file: "src/core/BinaryQuant.ts",
    text: "[SignQuant.clampedBinary(x, scale, passes),",
    instead: "[SignQuant.clampedBinary(tf.neg(x), scale, passes),",
    packs: ["TensorQuantizerLaws"],
    law: "monotone"
  },
  {
    name: "minifloats tell another scale than theirs",
    file: "src/core/FloatQuant.ts",
    text: "return [{ value, scale, zeroPoint, bitWidth }, Brick.remembered(state.memory, after)]",
    instead:
      "return [{ value, scale: tf.mul(scale, 1.1), zeroPoint, bitWidth }, Brick.remembered(state.memory, after)]",
    packs: ["TensorQuantizerLaws"],
    law: "minifloats"
  },
  {
    name: "a learned scale begins twice as large",
    file: "src/core/RuntimeScaling.ts",
    text: "const value = tf.mul(parameters.value as tf.Tensor, buffer)",
    instead: "const value = tf.mul(tf.mul(parameters.value as tf.Tensor, 2), buffer)",
    packs: ["TensorQuantizerLaws"],
    law: "beginning"
  },
  {
    name: "a zero-point learns the wrong way",
    file: "src/core/ScaleShift.ts",
    text: "const shifted = tf.add(tf.div(v, scale), low)",
    instead:
      "const once = tf.div(v, scale), shifted = tf.add(tf.customGrad((y: any) => ({ value: y.clone(), gradFunc: (dy: any) => tf.neg(dy) }))(once), low)",
    packs: ["TensorQuantizerLaws"],
    law: "learned zero-point"
  }
]

const injectors: ReadonlyArray<Mutant> = [
  {
    name: "the left one wins a merge",
    file: "src/inject/Injector.ts",
    text: "{ ...self.table, ...that.table },",
    instead: "{ ...that.table, ...self.table },",
    packs: ["InjectorLaws"],
    law: "let merges, and the last wins"
  },
  {
    name: "what is put in does not override",
    file: "src/inject/Injector.ts",
    text: "{ ...self.table, ...attributes },",
    instead: "{ ...attributes, ...self.table },",
    packs: ["InjectorLaws"],
    law: "let merges, and the last wins"
  },
  {
    name: "what is built is built twice",
    file: "src/inject/Resolution.ts",
    text: "  const built = construct(spec, args, frame, slot, place)\n",
    instead: "  construct(spec, args, frame, slot, place)\n  const built = construct(spec, args, frame, slot, place)\n",
    packs: ["InjectorLaws"],
    law: "once per resolution"
  },
  {
    name: "a link is a copy",
    file: "src/inject/Resolution.ts",
    text: "keep(frame, slot, target.content)",
    instead: 'keep(frame, slot, typeof target.content === "object" ? { ...target.content } : target.content)',
    packs: ["ResolutionLaws"],
    law: "a link is the same instance"
  },
  {
    name: "defaults are forgotten",
    file: "src/inject/Resolution.ts",
    text: "argument >= 0 ? frame.slots[argument] : spec.defaults[i]?.value",
    instead: "argument >= 0 ? frame.slots[argument] : undefined",
    packs: ["ResolutionLaws"],
    law: "the value is that of the table"
  },
  {
    name: "what was built first is released first",
    file: "src/inject/Resolution.ts",
    text: "const release = releases.pop()",
    instead: "const release = releases.shift()",
    packs: ["ResolutionLaws"],
    law: "released once, in reverse order"
  },
  {
    name: "a resolution that fails leaks what it built",
    file: "src/inject/Resolution.ts",
    text: "Effect.andThen(Scope.addFinalizer(run.scope, releaseAll), stretch)",
    instead: "Effect.tap(stretch, () => Scope.addFinalizer(run.scope as Scope.Scope, releaseAll))",
    packs: ["ResolutionLaws"],
    law: "released once, in reverse order"
  },
  {
    name: "circles are told a lap too late",
    file: "src/inject/Frame.ts",
    text: "end === -1 ? path : path.slice(0, end + 1)",
    instead: "end === -1 ? path : path.slice(0)",
    packs: ["ResolutionLaws"],
    law: "errors lead back to the request"
  },
  {
    name: "paths do not begin at the request",
    file: "src/inject/Frame.ts",
    text: "return [...pathOf(place.asker), ...own]",
    instead: "return own",
    packs: ["ResolutionLaws"],
    law: "errors lead back to the request"
  }
]

const proxies: ReadonlyArray<Mutant> = [
  {
    name: "a reader is not counted",
    file: "src/tensor/LeasedRef.ts",
    text: "    generation.leases += 1\n",
    instead: "    generation.leases += 0\n",
    packs: ["ProxyLaws"],
    law: "readers keep what they read"
  },
  {
    name: "what training replaces is disposed under its readers",
    file: "src/tensor/LeasedRef.ts",
    text: "if (generation.leases > 0) generation.replaced.push(release)",
    instead: "if (generation.leases > 99) generation.replaced.push(release)",
    packs: ["ProxyLaws"],
    law: "readers keep what they read"
  },
  {
    name: "the new one is released in place of the old",
    file: "src/tensor/LeasedRef.ts",
    text: "      MutableRef.set(generation, old)\n",
    instead: "",
    packs: ["ProxyLaws"],
    law: "a reload resolves anew"
  },
  {
    name: "what fails to resolve is never released",
    file: "src/tensor/LeasedRef.ts",
    text: "Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))",
    instead: "Effect.onError(() => Effect.void)",
    packs: ["ProxyLaws"],
    law: "released exactly once"
  },
  {
    name: "a module joins before it is resolved",
    file: "src/proxy/QuantProxy.ts",
    text: "const modules = [...MutableRef.get(self.modules), module]",
    instead: "const modules = MutableRef.updateAndGet(self.modules, (all) => [...all, module])",
    packs: ["ProxyLaws"],
    law: "a shared quantizer is about all modules"
  },
  {
    name: "the last module counts alone",
    file: "src/proxy/QuantProxy.ts",
    text: "const modules = [...MutableRef.get(self.modules), module]",
    instead: "const modules = [module]",
    packs: ["ProxyLaws"],
    law: "a shared quantizer is about all modules"
  },
  {
    name: "a step of training leaks what it replaces",
    file: "src/proxy/Cell.ts",
    text: "    Tree.release(before.parameters, next.parameters)\n",
    instead: "",
    packs: ["ProxyLaws"],
    law: "nothing leaks"
  }
]

const layers: ReadonlyArray<Mutant> = [
  {
    name: "shapes of loaded states are not looked at",
    file: "src/nn/State.ts",
    text: "const fits = own ? shapeText(shape) === shapeText(got) : Stored.sizeOf(shape) === Stored.sizeOf(got)",
    instead: "const fits = own || shapeText(shape) !== shapeText(got) || Stored.sizeOf(shape) === Stored.sizeOf(got)",
    packs: ["StateLaws"],
    law: "a failed load changes nothing"
  },
  {
    name: "names that are missing do not matter",
    file: "src/nn/State.ts",
    text: 'policy === "strict" ? absent :',
    instead: 'policy === "strict" ? [] :',
    packs: ["StateLaws"],
    law: "a failed load changes nothing"
  },
  {
    name: "a load swaps before all has resolved",
    file: "src/nn/StateSwap.ts",
    text: "      const staged = reinitialize\n",
    instead: "      for (const cell of own) put(cell, cell)\n      const staged = reinitialize\n",
    packs: ["StateLaws", "MemoryLaws"],
    law: "a failed load changes nothing"
  },
  {
    name: "a frozen layer trains when it is told to",
    file: "src/nn/Frozen.ts",
    text: "{ ...mode, training: false })[0]",
    instead: "mode)[0]",
    packs: ["StateLaws"],
    law: "frozen is evaluation"
  },
  {
    name: "a frozen layer has the tensors of the original",
    file: "src/nn/Frozen.ts",
    text: "const made = copies.get(x) ?? tf.keep(x.clone())",
    instead: "const made = copies.get(x) ?? x",
    packs: ["StateLaws", "MemoryLaws"],
    law: "frozen is evaluation"
  },
  {
    name: "texts have six digits",
    file: "src/exchange/Decimals.ts",
    text: "return String(Number(x.toPrecision(9)))",
    instead: "return String(Number(x.toPrecision(6)))",
    packs: ["StateLaws"],
    law: "states survive files and texts"
  },
  {
    name: "files begin a tensor too early",
    file: "src/exchange/Safetensors.ts",
    text: "data: values.slice(begin, end) }",
    instead: "data: values.slice(0, end - begin) }",
    packs: ["StateLaws"],
    law: "states survive files and texts"
  },
  {
    name: "a value is loaded under its neighbour's name",
    file: "src/nn/State.ts",
    text: "make: () => copied(match, state)",
    instead: "make: () => copied({ ...match, name: (matches[0] as Match).name }, state)",
    packs: ["StateLaws"],
    law: "what is loaded is what is taken out"
  }
]

const transforms: ReadonlyArray<Mutant> = [
  {
    name: "a fork takes the original's tensors",
    file: "src/nn/Fork.ts",
    text: "leaf instanceof tf.Tensor ? (tf.keep(leaf.clone()) as Leaf) : leaf",
    instead: "leaf instanceof tf.Tensor ? (tf.keep(leaf) as Leaf) : leaf",
    packs: ["TransformLaws"],
    law: "the model that goes in keeps its bits"
  },
  {
    name: "a fork learns with the quantizers of the original",
    file: "src/nn/Fork.ts",
    text: "({ ...proxy, cell, modules: MutableRef.make(modules) })",
    instead: "({ ...proxy, modules: MutableRef.make(cell && modules) })",
    packs: ["TransformLaws"],
    law: "the answer is a model of its own"
  },
  {
    name: "a fork keeps what it has begun with",
    file: "src/nn/Fork.ts",
    text: "(states) => Effect.sync(() => [...states.values()].forEach(released))",
    instead: "(states) => Effect.sync(() => [...states.values()].slice(1).forEach(released))",
    packs: ["TransformLaws"],
    law: "nothing is left of a step"
  },
  {
    name: "a fork calls its quantizers something else",
    file: "src/nn/ForkedLayer.ts",
    text: "mine === undefined ? [] : [[name, mine] as const]",
    instead: 'mine === undefined ? [] : [[name.replace("Quant", "Quantizer"), mine] as const]',
    packs: ["TransformLaws"],
    law: "parameters keep their names"
  },
  {
    name: "what is learned is let go only at a good end",
    file: "src/ptq/Learn.ts",
    text: "({ reached }) => Effect.sync(() => tf.dispose([...tensorsOf(reached)]))",
    instead:
      '({ reached }, exit) => Effect.sync(() => void (exit._tag === "Success" && tf.dispose([...tensorsOf(reached)])))',
    packs: ["TransformLaws"],
    law: "a step that fails has changed nothing"
  },
  {
    name: "an interruption lets nothing go",
    file: "src/ptq/Learn.ts",
    text: "({ reached }) => Effect.sync(() => tf.dispose([...tensorsOf(reached)]))",
    instead:
      '({ reached }, exit) => Effect.sync(() => void (String(exit).includes("Interrupt") || tf.dispose([...tensorsOf(reached)])))',
    packs: ["TransformLaws"],
    law: "an interrupted step has changed nothing"
  },
  {
    name: "a rotation is another one each time",
    file: "src/ptq/Rotate.ts",
    text: "Random.split(Random.make(seed), name)",
    instead: "Random.split(Random.make(seed + (globalThis.rotations = (globalThis.rotations ?? 0) + 1)), name)",
    packs: ["TransformLaws"],
    law: "the same model gives the same bits"
  },
  {
    name: "an equalized channel keeps its bias",
    file: "src/ptq/Equalize.ts",
    text: "bias.data.map((value, i) => value * (by[i] as number))",
    instead: "bias.data.map((value) => value)",
    packs: ["TransformLaws"],
    law: "the float network computes the same"
  },
  {
    name: "a merged mean is not scaled",
    file: "src/ptq/MergeMath.ts",
    text: "(bias[i] as number) - (mean[i] as number) * s",
    instead: "(bias[i] as number) - (mean[i] as number)",
    packs: ["TransformLaws"],
    law: "the float network computes the same"
  }
]

export const mutants: ReadonlyArray<Mutant> = [
  ...quantizers,
  ...quantTensors,
  ...injectors,
  ...proxies,
  ...layers,
  ...transforms
]
