import { ChooseMath } from "breve"

/** Two items with two options each and a budget of 4: the best bargain first is not the best there is. */
export const example = () => {
  const items = [
    [
      { cost: 1, loss: 10 },
      { cost: 3, loss: 4 }
    ],
    [
      { cost: 1, loss: 10 },
      { cost: 2, loss: 6 }
    ]
  ]
  const total = (choice: ChooseMath.Choice | undefined) => choice && ChooseMath.total(items, choice)
  return { greedy: total(ChooseMath.greedy(items, 4)), exact: total(ChooseMath.exact(items, 4)) }
}

export const shows = { greedy: { cost: 3, loss: 16 }, exact: { cost: 4, loss: 14 } }
