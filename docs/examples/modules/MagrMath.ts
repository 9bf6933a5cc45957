import { MagrMath, Matrix } from "breve"

/** The second weight is large and hardly matters: it becomes smaller. */
export const example = () => {
  const covariance = Matrix.make(2, 2, [1, 0, 0, 0.01])
  return MagrMath.magr(Matrix.make(1, 2, [0.5, 2]), covariance, { alpha: 0.1 }).data
}

export const shows = [0.5, 1.04382]
