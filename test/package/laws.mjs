/**
 * `breve laws` of the installed package, on a user's quantizers in a folder of their own. pack.sh runs it: `node laws.mjs FOLDER`, the
 * folder with node_modules and quantizers.mjs, and `node laws.mjs FOLDER absent` where fast-check is not installed.
 */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { join } from "node:path"

const [folder, absent] = process.argv.slice(2)
const breve = (...args) => {
  const { status, stdout, stderr } = spawnSync(join(folder, "node_modules/.bin/breve"), args, {
    cwd: folder,
    encoding: "utf8"
  })
  return { status, stdout, stderr }
}

if (absent === "absent") {
  const { status, stderr } = breve("laws", "Int8WeightPerTensorFloat")
  assert.equal(status, 1)
  assert.match(stderr, /^breve: breve laws needs the package fast-check: npm install --save-dev fast-check/)
  assert.equal(breve("inspect", "Int8WeightPerTensorFloat").status, 0) // the other commands do without it
  console.log("laws without fast-check: OK")
} else {
  const fine = breve("laws", "./quantizers.mjs#Int4Act")
  assert.equal(fine.status, 0, fine.stderr + fine.stdout)
  assert.match(fine.stdout, /0 broken; 100 runs of each law, seed 0\n$/)

  const broken = breve("laws", "./quantizers.mjs#HalfClamped", "--seed", "3")
  assert.equal(broken.status, 1)
  assert.match(broken.stderr, /^breve: HalfClamped breaks \d+ laws? that it claims\n$/)
  assert.match(
    broken.stdout,
    /^ {2}BROKEN {7}range\n {6}states {3}low <= q\(x\)\/s \+ z <= high\n {6}but for {2}x = float32\[4, 6\] 0 but \[\d, \d\] = -\d/m
  )
  assert.match(broken.stdout, /code -\d+(\.\d+)?, outside of -8\.\.7/)
  assert.equal(breve("laws", "./quantizers.mjs#HalfClamped", "--seed", "3").stdout, broken.stdout)
  const [, again] = broken.stdout.match(/^ {6}again {4}breve (.* --law range --seed 3 --path [\d:]+)$/m)
  const shown = breve(...again.split(" "))
  assert.equal(shown.status, 1)
  assert.match(shown.stdout, /1 broken; 1 run of each law, seed 3\n$/)

  assert.match(
    breve("laws", "./quantizers.mjs#Open").stderr,
    /^breve: Open leaves "myBits" open \(.*\); add --given myBits=VALUE\n$/
  )
  assert.match(breve("laws", "./quantizers.mjs#Open", "--given", "myBits=3").stdout, /^Open: 3-bit [\s\S]* 0 broken;/)
  console.log(broken.stdout.match(/^ {2}BROKEN {7}range[\s\S]*?again.*$/m)[0])

  const flat = breve("laws", "./quantizers.mjs#WithoutGradient", "--json")
  assert.equal(flat.status, 1)
  const kinds = Object.fromEntries(JSON.parse(flat.stdout).laws.map(({ law, kind }) => [law, kind]))
  assert.equal(kinds["straight through"], "broken")
  assert.equal(kinds.rounding, "kept")

  assert.match(breve("laws", "./quantizers.mjs#HalfClampt").stderr, /did you mean "HalfClamped"\?/)
  console.log("laws: OK")
}
