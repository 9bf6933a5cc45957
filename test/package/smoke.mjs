/**
 * Uses the installed package as an application does: plain Node, no loader, no bundler. pack.sh copies it beside node_modules.
 */
import assert from "node:assert/strict"
import * as tf from "@tensorflow/tfjs-core"
import { Backend, Convolution, Injector, Layer, Optimizer, ScaledInt, TensorQuantizer, Trainer } from "breve"
import * as Wasm from "breve/wasm"
import { Effect, pipe } from "effect"

const program = Effect.gen(function* () {
  const { name } = yield* Wasm.Backend
  assert.equal(name, "wasm")
  assert.equal(tf.getBackend(), "wasm")
  assert.equal(yield* Wasm.Backend, yield* Backend.Backend) // both entries speak of the same service

  // tfjs alone registers no gradient in Node: the package has to
  const squares = (x) => tf.sum(tf.square(x))
  const [slope] = tf.grads(squares)([tf.tensor1d([1, -2, 3])])
  assert.deepEqual([...slope.dataSync()], [2, -4, 6])

  // breve's own kernels came with the backend
  assert.ok(tf.getKernel("BreveFakeQuant", "wasm") !== undefined)

  // a quantizer of the catalogue, varied, resolved, and differentiated
  yield* Effect.scoped(
    Effect.gen(function* () {
      const quantizer = yield* pipe(
        ScaledInt.Int8WeightPerTensorFloat,
        Injector.let({ bitWidth: 4 }),
        Injector.resolve("tensorQuant")
      )
      tf.tidy(() => {
        const x = tf.tensor1d([0.3, -0.7, 1.4])
        const { value, scale } = TensorQuantizer.quantize(quantizer, x)
        assert.deepEqual(
          [...value.dataSync()].map((y) => y.toFixed(4)),
          ["0.4000", "-0.8000", "1.4000"]
        )
        assert.equal(scale.dataSync()[0].toFixed(4), "0.2000")
        const [dx] = tf.grads((input) => tf.sum(TensorQuantizer.quantize(quantizer, input).value))([x])
        assert.ok(dx.dataSync().every(Number.isFinite))
      })

      // a quantized convolution, forward and a step of training
      const conv = yield* Convolution.quantConv2d({ inChannels: 2, outChannels: 3, kernelSize: [3, 3], seed: 7 })
      const image = tf.ones([1, 6, 6, 2])
      const y = yield* Layer.forward(conv, image)
      assert.deepEqual(y.shape, [1, 4, 4, 3])
      const trainer = yield* Trainer.make(conv, Optimizer.sgd(0.01))
      const losses = []
      for (let i = 0; i < 3; i++)
        losses.push(yield* Trainer.step(trainer, image, (output) => tf.mean(tf.square(output))))
      assert.ok(losses[2] < losses[0], `the loss falls: ${losses}`)
      tf.dispose([image, y])
    })
  )
})

await Effect.runPromise(Effect.provide(program, Wasm.layer))
await Effect.runPromise(Effect.provide(program, Backend.layer))
console.log("smoke: OK")
