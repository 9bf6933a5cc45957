/**
 * One of several for each, within a budget: the knapsack of mixed precision, greedily and exactly.
 *
 * Room: ptq (level 5). Imports: none. Laws: test/ptq/Choose.test.ts.
 */

/** What one choice costs, and what is lost by it. */
export interface Option {
  readonly cost: number
  readonly loss: number
}

/** For each item the options that it has; a choice is the index of one for each. */
export type Items = ReadonlyArray<ReadonlyArray<Option>>
/** The index of the option that was chosen, for each item. */
export type Choice = ReadonlyArray<number>

/** What a choice costs and loses, summed over the items. */
export const total = (items: Items, choice: Choice): Option =>
  items.reduce<Option>(
    ({ cost, loss }, options, i) => {
      const one = options[choice[i] as number] as Option
      return { cost: cost + one.cost, loss: loss + one.loss }
    },
    { cost: 0, loss: 0 }
  )

const cheapest = (options: ReadonlyArray<Option>): number =>
  options.reduce((best, { cost, loss }, i) => {
    const least = options[best] as Option
    return cost < least.cost || (cost === least.cost && loss < least.loss) ? i : best
  }, 0)

/** What the cheapest choice costs. */
export const leastCost = (items: Items): number => total(items, items.map(cheapest)).cost

interface Exchange {
  readonly item: number
  readonly to: number
  readonly gain: number
}

/**
 * Begins with the cheapest options and takes, as long as one fits, the exchange that gains most for what it costs.
 *
 * - formula:  `argmax (loss - loss') / (cost' - cost)` over exchanges of one option that fit
 * - shapes:   items to an index for each
 * - gradient: none
 * - errors:   undefined where even the cheapest options cost more
 * - source:   Dantzig 1957, "Discrete-variable extremum problems"
 */
export const greedy = (items: Items, budget: number): Choice | undefined => {
  const choice = items.map(cheapest)
  if (total(items, choice).cost > budget) return undefined
  for (;;) {
    const left = budget - total(items, choice).cost
    const exchanges = items.flatMap((options, item): ReadonlyArray<Exchange> => {
      const now = options[choice[item] as number] as Option
      return options.flatMap(({ cost, loss }, to) => {
        const fits = loss < now.loss && cost - now.cost <= left
        return fits ? [{ item, to, gain: (now.loss - loss) / Math.max(cost - now.cost, Number.MIN_VALUE) }] : []
      })
    })
    const best = exchanges.reduce<Exchange | undefined>(
      (most, one) => (most === undefined || one.gain > most.gain ? one : most),
      undefined
    )
    if (best === undefined) return choice
    choice[best.item] = best.to
  }
}

/** A way to have chosen for the first items; those before are linked. */
interface Partial extends Option {
  readonly option: number
  readonly before: Partial | undefined
}

/** Those of which none other is cheaper and loses less, by rising cost. */
const front = (all: ReadonlyArray<Partial>): ReadonlyArray<Partial> => {
  const kept: Array<Partial> = []
  for (const one of all.toSorted((a, b) => a.cost - b.cost || a.loss - b.loss))
    if (kept.length === 0 || one.loss < (kept.at(-1) as Partial).loss) kept.push(one)
  return kept
}

const choiceOf = (end: Partial | undefined): Choice => (end === undefined ? [] : [...choiceOf(end.before), end.option])

/**
 * The choice that loses least within the budget: item after item, only those partial choices are kept that no other one beats.
 *
 * - formula:  `min sum loss` with `sum cost <= budget`
 * - shapes:   items to an index for each
 * - gradient: none
 * - errors:   undefined where even the cheapest options cost more
 * - source:   Bellman 1957, "Dynamic Programming"; Nemhauser and Ullmann 1969, "Discrete dynamic programming and capital allocation"
 */
export const exact = (items: Items, budget: number): Choice | undefined => {
  // what the items to come cost at least: a partial choice that leaves less is of no use
  const rest = items.map((_, i) => leastCost(items.slice(i + 1)))
  const ends = items.reduce<ReadonlyArray<Partial | undefined>>(
    (partials, options, i) =>
      front(
        partials.flatMap((before) =>
          options.flatMap(({ cost, loss }, option) => {
            const all = { cost: (before?.cost ?? 0) + cost, loss: (before?.loss ?? 0) + loss, option, before }
            return all.cost + (rest[i] as number) <= budget ? [all] : []
          })
        )
      ),
    [undefined]
  )
  if (ends.length === 0) return undefined
  return choiceOf(ends.at(-1))
}
