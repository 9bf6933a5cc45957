/**
 * A server of static files for the test pages: folders under prefixes of the path, some of them cross-origin isolated.
 */
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { extname, join, sep } from "node:path"
import { Effect, type Scope } from "effect"

/** A folder that is served under a prefix, e.g. `/plain/`. */
export interface Mount {
  readonly prefix: string
  readonly folder: string
  /** with the headers that give a page shared memory */
  readonly isolated?: boolean
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm"
}

const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }

/** The file that a path means, or `undefined` where it leaves its folder. */
const fileOf = ({ prefix, folder }: Mount, path: string): string | undefined => {
  const rest = decodeURIComponent(path.slice(prefix.length))
  const file = join(folder, rest === "" ? "index.html" : rest)
  return file.startsWith(join(folder, sep)) ? file : undefined
}

/** Serves on a free port of this machine until the Scope ends; answers the address. */
export const serve = (mounts: ReadonlyArray<Mount>): Effect.Effect<string, never, Scope.Scope> => {
  const answer = async (path: string) => {
    const mount = mounts.find(({ prefix }) => path.startsWith(prefix))
    const file = mount === undefined ? undefined : fileOf(mount, path)
    const body = file === undefined ? undefined : await readFile(file).catch(() => undefined)
    const type = types[extname(file ?? "")] ?? "application/octet-stream"
    const headers = { "Content-Type": type, ...(mount?.isolated === true ? isolation : {}) }
    return body === undefined
      ? { status: 404, headers: {}, body: `nothing at ${path}` }
      : { status: 200, headers, body }
  }
  const listening = Effect.callback<ReturnType<typeof createServer>>((resume) => {
    const server = createServer((request, response) => {
      answer(new URL(request.url ?? "/", "http://localhost").pathname).then(({ status, headers, body }) =>
        response.writeHead(status, headers).end(body)
      )
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  })
  const closed = (server: ReturnType<typeof createServer>) =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
  return Effect.map(
    Effect.acquireRelease(listening, closed),
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  )
}
