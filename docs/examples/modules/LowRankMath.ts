import { LowRankMath, Matrix } from "breve"

/** The nearest matrix of rank 1, and what is left. */
export const example = () => {
  const a = Matrix.make(2, 2, [2, 2, 1, 1.1])
  const branch = LowRankMath.branchOf(a, 1)
  return { near: Matrix.product(branch.down, branch.up).data, rest: LowRankMath.restOf(a, branch).data }
}

export const shows = { near: [1.9792, 2.02037, 1.03959, 1.06122], rest: [0.0207957, -0.020372, -0.0395915, 0.0387848] }
