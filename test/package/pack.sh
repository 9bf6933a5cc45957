#!/usr/bin/env bash
# Packs breve as npm would publish it, installs the tarball with its peers into an empty folder, and uses it there in plain Node.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

echo "pack: building and packing"
npm pack --silent --pack-destination "$temp" >"$temp/pack.log" 2>&1 </dev/null || { cat "$temp/pack.log"; exit 1; }
tarball=$(ls "$temp"/*.tgz)
echo "pack: $(basename "$tarball"), $(tar -tzf "$tarball" | wc -l) files, $(du -k "$tarball" | cut -f1) kB"

npx --no-install publint --strict "$tarball" </dev/null

# the peers that breve needs, and the WASM backend, at the versions it is developed with
peers=$(node -p '
  const { devDependencies, peerDependencies, peerDependenciesMeta } = require("./package.json")
  const needed = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional)
  needed.concat("@tensorflow/tfjs-backend-wasm").map((name) => `${name}@${devDependencies[name]}`).join(" ")
')
checker=$(node -p 'require("./package.json").devDependencies["fast-check"]')
echo "pack: installing with $peers"
mkdir "$temp/app"
cp "$root"/test/package/{smoke,missing,quantizers}.mjs "$temp/app"
cd "$temp/app"
echo '{ "name": "app", "private": true, "type": "module" }' >package.json
# shellcheck disable=SC2086 # one word for each peer
npm install --silent --no-audit --no-fund "$tarball" $peers </dev/null

node smoke.mjs
node "$root/test/package/sizes.mjs" "$temp/app"
node "$root/test/package/laws.mjs" "$temp/app" absent
npm install --silent --no-audit --no-fund "fast-check@$checker" </dev/null
node "$root/test/package/laws.mjs" "$temp/app"
rm -r node_modules/@tensorflow/tfjs-backend-wasm
node missing.mjs
