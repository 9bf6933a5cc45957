/**
 * What a page without a bundler needs to use breve: an import map that says which files the packages mean.
 *
 * protobufjs has no module at all: Application.ts makes one.
 *
 * Both packages of tfjs come with one file that is a module; the one of the WASM backend also names modules of Node, which it does not
 * use in a browser.
 */
const nothing = "data:text/javascript,export default {}"

const files: Readonly<Record<string, string>> = {
  "@tensorflow/tfjs-core": "@tensorflow/tfjs-core/dist/tf-core.fesm.min.js",
  "@tensorflow/tfjs-backend-wasm": "@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.fesm.min.js",
  breve: "breve/dist/src/index.js",
  "breve/wasm": "breve/dist/src/backend/Wasm.js",
  effect: "effect/dist/index.js",
  "onnxruntime-web/wasm": "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
  "pure-rand/distribution/uniformInt": "pure-rand/lib/esm/distribution/uniformInt.js",
  "pure-rand/generator/xoroshiro128plus": "pure-rand/lib/esm/generator/xoroshiro128plus.js"
}

/** Modules of effect that it or breve imports by their own names. */
const effect = ["Cause", "Effect", "Exit", "Function", "Layer"]

export const importMap = {
  imports: {
    "protobufjs/minimal.js": "/plain/protobufjs.js",
    ...Object.fromEntries(Object.entries(files).map(([name, file]) => [name, `/node_modules/${file}`])),
    ...Object.fromEntries(effect.map((name) => [`effect/${name}`, `/node_modules/effect/dist/${name}.js`])),
    ...Object.fromEntries(["fs", "os", "path", "perf_hooks"].map((name) => [name, nothing]))
  }
}
