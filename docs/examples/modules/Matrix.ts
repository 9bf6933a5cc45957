import { Matrix } from "breve"

/** Dense matrices in double precision: `a b`, and `aᵗ`. */
export const example = () => {
  const a = Matrix.make(1, 2, [1, 2])
  return { product: Matrix.product(a, Matrix.make(2, 2, [3, 4, 5, 6])).data, transposed: Matrix.transpose(a).rows }
}

export const shows = { product: [13, 16], transposed: 2 }
