/**
 * Mutants of kernels: of what calls them, and of the AssemblyScript that they are compiled from.
 */
import type { Mutant } from "./Mutant.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "a kernel keeps its scratch memory",
    file: "src/backend/Kernel.ts",
    text: "    running.backend.disposeData(room.dataId)\n",
    instead: "",
    packs: ["MemoryLaws of operations"],
    law: "an operation leaves nothing"
  },
  {
    name: "a kernel does not know that its clamp passes",
    file: "src/backend/kernels/FakeQuant.ts",
    text: 'number(attrs, "passes"),',
    instead: "0,",
    packs: ["KernelLaws"],
    law: "its gradients are those of its composition"
  },
  {
    name: "the last elements are those before them",
    file: "src/backend/assembly/fakeQuant.ts",
    text: "v128.store32_lane(y + at, quantized(v128.load32_zero(x + at), s, z, after, low, high, zero, kind), 0)",
    instead: "v128.store32_lane(y + at, quantized(v128.load32_zero(x), s, z, after, low, high, zero, kind), 0)",
    packs: ["KernelLaws"],
    law: "a kernel is its composition"
  },
  {
    name: "the rectifier's gradient passes at zero",
    file: "src/backend/assembly/relu.ts",
    text: "v128.store(dx, v128.andnot(v128.load(dy), f32x4.le(v128.load(y), zero)))",
    instead: "v128.store(dx, v128.andnot(v128.load(dy), f32x4.lt(v128.load(y), zero)))",
    packs: ["KernelLaws"],
    law: "its gradients are those of its composition"
  },
  {
    name: "the last of equal elements is the largest",
    file: "src/backend/assembly/pool.ts",
    text: "v128.or(f32x4.le(v, best), f32x4.ne(best, best))",
    instead: "v128.or(f32x4.lt(v, best), f32x4.ne(best, best))",
    packs: ["KernelLaws"],
    law: "its gradients are those of its composition"
  },
  {
    name: "a row that is looked up twice learns once",
    file: "src/backend/assembly/gather.ts",
    text: "v128.store(to, f32x4.add(v128.load(to), v128.load(dy)))",
    instead: "v128.store(to, v128.load(dy))",
    packs: ["KernelLaws"],
    law: "its gradients are those of its composition"
  },
  {
    name: "signs make numbers of NaN",
    file: "src/backend/assembly/signs.ts",
    text: "return v128.or(v128.bitselect(f32x4.splat(1), f32x4.splat(-1), f32x4.ge(c, none)), f32x4.ne(v, v))",
    instead: "return v128.bitselect(f32x4.splat(1), f32x4.splat(-1), f32x4.ge(c, none))",
    packs: ["KernelLaws"],
    law: "a kernel is its composition"
  },
  {
    name: "the bounds of minifloats cross",
    file: "src/backend/assembly/levels.ts",
    text: "f32x4.add(f32x4.pmax(f32x4.pmin(y, high), low), zero)",
    instead: "f32x4.add(f32x4.pmax(f32x4.pmin(y, high), high), zero)",
    packs: ["MinifloatLaws", "KernelLaws"],
    law: "every middle goes to the even neighbour"
  },
  {
    name: "the step of minifloats passes no gradient back",
    file: "src/backend/assembly/levelsGrad.ts",
    text: "f32x4.sub(f32x4.mul(d, r), f32x4.mul(f32x4.mul(f32x4.mul(dr, u), finer), finer))",
    instead: "f32x4.splat(0)",
    packs: ["TensorQuantizerLaws"],
    law: "minifloat gradient"
  }
]
