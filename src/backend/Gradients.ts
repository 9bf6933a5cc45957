/**
 * Gives TensorFlow.js its gradients, which `@tensorflow/tfjs-core` alone does not register.
 *
 * Room: backend (level 1). Imports: tfjs and the generated copy of its own gradients (.build/gradients.mjs).
 */
import * as tf from "@tensorflow/tfjs-core"
import * as generated from "./gradients.generated.js"

/** The gradients of tfjs itself, one for each kernel that has one. */
export const all: ReadonlyArray<tf.GradConfig> = generated.gradients

/** Registers every gradient that is not there yet, so a second call does nothing and a gradient of your own stays. */
export const register = (): void => {
  for (const gradient of all) {
    if (tf.getGradient(gradient.kernelName) === undefined) tf.registerGradient(gradient)
  }
}
