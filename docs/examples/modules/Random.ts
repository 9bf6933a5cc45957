import { Random } from "breve"

/** The same seed gives the same numbers, anywhere and at any time; streams below it are told apart by name. */
export const example = () => {
  const random = Random.make(7)
  return {
    uniform: Random.uniform(random, 3, 0, 1),
    order: Random.permutation(Random.split(random, "order"), 5)
  }
}

export const shows = { uniform: [0.0896147, 0.174391, 0.082413], order: [4, 3, 1, 2, 0] }
