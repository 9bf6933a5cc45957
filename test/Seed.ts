/** Every run of the tests tries the same cases of its properties, so that it can be repeated; `SEED=7 npm run unit` tries others. */
import * as fc from "fast-check"

const given = process.env.SEED ?? "0"
const seed = Number(given)
if (given.trim() === "" || !Number.isInteger(seed)) throw new Error(`SEED is a whole number, not "${given}"`)
fc.configureGlobal({ seed })
