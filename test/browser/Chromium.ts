/**
 * The system's Chromium without a window, driven by playwright-core.
 */
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { Effect, type Scope } from "effect"
import { type BrowserContext, chromium } from "playwright-core"

/** Where a browser may be: what CHROMIUM_PATH says, alone where it says something, else the usual names on the PATH. */
const candidates = (): ReadonlyArray<string> => {
  const { CHROMIUM_PATH, PATH } = process.env
  if (CHROMIUM_PATH !== undefined && CHROMIUM_PATH !== "") return [CHROMIUM_PATH]
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
  const folders = [...(PATH ?? "").split(delimiter), "/usr/bin"]
  const mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
  return [...names.flatMap((name) => folders.map((folder) => join(folder, name))), mac]
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The browser of this machine. */
export const find = (): string | undefined => candidates().find(isExecutable)

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

/** Starts it with a profile of its own; it ends with the Scope. */
export const launch = (executablePath: string): Effect.Effect<BrowserContext, never, Scope.Scope> =>
  Effect.gen(function* () {
    const profile = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "breve-chromium-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
    )
    return yield* Effect.acquireRelease(
      Effect.promise(() => chromium.launchPersistentContext(profile, { executablePath, headless: true, args: flags })),
      (context) => Effect.promise(() => context.close())
    )
  })

/** What a page answered, and what it complained of. */
export interface Visit {
  readonly title: string
  readonly answer: string
  readonly complaints: ReadonlyArray<string>
}

/** Opens a page and waits until it has its answer. */
export const visit = (context: BrowserContext, url: string, screenshot?: string): Effect.Effect<Visit> =>
  Effect.promise(async () => {
    const page = await context.newPage()
    const complaints: Array<string> = []
    page.on("pageerror", (error) => complaints.push(error.message))
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text())
    })
    page.on("requestfailed", (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`))
    page.on("response", (response) => {
      if (!response.ok() && !response.url().endsWith("/favicon.ico"))
        complaints.push(`${response.url()}: ${response.status()}`)
    })
    try {
      await page.goto(url)
      await page.waitForSelector("#answer", { state: "attached", timeout: 90_000 })
      if (screenshot !== undefined) await page.screenshot({ path: screenshot, fullPage: true })
      return { title: await page.title(), answer: (await page.textContent("#answer")) ?? "", complaints }
    } catch (cause) {
      return { title: "failed", answer: `${cause instanceof Error ? cause.message : cause}`, complaints }
    } finally {
      await page.close()
    }
  })
