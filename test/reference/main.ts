/**
 * `npm run reference -- [--vectors DIR] [--area AREA] [--json]`: replays the reference vectors against breve.
 */
import { main, Refusal } from "./Runner.ts"

// Libraries may print while they start: only the report goes to the standard output.
console.log = console.error
console.info = console.error

main(process.argv.slice(2), (line) => process.stdout.write(`${line}\n`)).then(
  (status) => {
    process.exitCode = status
  },
  (cause: unknown) => {
    const line = cause instanceof Refusal ? cause.message : cause instanceof Error ? cause.stack : String(cause)
    process.stderr.write(`reference: ${line}\n`)
    process.exitCode = 1
  }
)
