import { Dataset, Digits } from "breve"
import * as Residual from "../residual.ts"

/** Two epochs on 1,500 drawn digits; the share of 500 others, in percent, that it knows then. */
export const run = Residual.run(Dataset.reader(Digits.make(1, 1500)), Dataset.reader(Digits.make(2, 500)), 2)
