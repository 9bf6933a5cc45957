/**
 * The page `docs/sources.md`: what doc comments cite, and who cites it.
 */
import { readdirSync, readFileSync } from "node:fs"
import { type Work, works } from "./Works.ts"

const root = new URL("../../../", import.meta.url)

/** Where the page is. */
export const file = new URL("docs/sources.md", root)

/** A place that cites: a file from the root, and the text. */
export interface Citation {
  readonly file: string
  readonly text: string
}

// ---- citations ----------------------------------------------------------------------------------------------

const sources: ReadonlyArray<string> = ["src", "laws"].flatMap((folder) =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => `${folder}/${path}`)
    .sort()
)

const commentsOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\//g)].map(([, comment]) =>
    (comment ?? "").replace(/\n\s*\* ?/g, "\n")
  )

const line = (text: string): string => text.replace(/\s+/g, " ").trim()

/** Parts between semicolons. */
const apart = (text: string): ReadonlyArray<string> => line(text).split(/; (?![^(]*\))/)

/** What comments say in bullets and sentences that begin with their source. */
const told = (comment: string): ReadonlyArray<string> => [
  ...[...comment.matchAll(/^- source: +([\s\S]*?)(?=\n- |\n\s*\n|\n@|$(?![\s\S]))/gm)].flatMap(([, text]) =>
    apart(text ?? "")
  ),
  ...[...comment.matchAll(/\bSource: ([\s\S]*?)\.?(?=\s*\n\s*\n|\s*$(?![\s\S]))/g)].flatMap(([, text]) =>
    apart(text ?? "")
  )
]

/** Ids that comments mention anywhere. */
const mentioned = (comment: string): ReadonlyArray<string> => comment.match(/arXiv:\d+\.\d+|doi:[\w./]+\w/g) ?? []

/** Every citation in the sources. */
export const citations: ReadonlyArray<Citation> = sources.flatMap((path) =>
  commentsOf(readFileSync(new URL(path, root), "utf8"))
    .flatMap((comment) => [...told(comment), ...mentioned(comment)])
    .map((text) => ({ file: path, text }))
)

/** The works that a citation names. */
export const worksOf = ({ text }: Citation): ReadonlyArray<Work> => works.filter(({ cited }) => text.includes(cited))

/** Citations that lead to something here: another function, or nothing but a reason. */
export const isOwn = ({ text }: Citation): boolean =>
  /^none$|^as `|^`[\w.]+`|^the definition of|^binary search|^rounding where levels|^a sweep over|serves? for this elsewhere$/.test(
    text
  )

// ---- page ---------------------------------------------------------------------------------------------------

const linkOf = ({ cited, link }: Work): string | undefined =>
  link ??
  (cited.startsWith("arXiv:")
    ? `https://arxiv.org/abs/${cited.slice(6)}`
    : cited.startsWith("doi:")
      ? `https://doi.org/${cited.slice(4)}`
      : undefined)

const nameOf = (path: string): string => `[${path.replace(/^src\//, "").replace(/\.ts$/, "")}](../${path})`

/** Who cites a work. */
export const users = (work: Work): ReadonlyArray<string> => [
  ...new Set(citations.filter((one) => worksOf(one).includes(work)).map((one) => one.file))
]

const described = ({ authors, year, title, where }: Work): string =>
  [authors, year && `${year}`, where].filter((part) => part).join(", ") || title

const row = (work: Work): string => {
  const link = linkOf(work)
  const title = link === undefined ? work.title : `[${work.title}](${link})`
  return `| ${described(work)} | ${title} | ${users(work).map(nameOf).join(", ")} |`
}

const table = (head: string, rows: ReadonlyArray<Work>): string =>
  [`| ${head} | title | cited in |`, "| --- | --- | --- |", ...rows.map(row)].join("\n")

const byAuthor = (a: Work, b: Work): number => a.authors.localeCompare(b.authors, "en") || (a.year ?? 0) - (b.year ?? 0)

const of = (kind: Work["kind"]): ReadonlyArray<Work> => works.filter((work) => work.kind === kind)

const counted = (n: number): string => (n === 1 ? "1 file" : `${n} files`)

const programs = (): string =>
  of("program")
    .map((work) => `- [${work.title}](${work.link}): ${counted(users(work).length)}`)
    .join("\n")

/** What should be in it. */
export const page = (): string =>
  [
    "# Sources",
    "What formulas and methods come from, as the `source` bullets of doc comments cite it: written by `npm run sources`.",
    "## Papers and books",
    table("authors, year", [...of("paper")].sort(byAuthor)),
    "## Standards",
    table("by", of("standard")),
    "## Programs",
    "What was re-created, or serves as the reference of a behaviour; the bullets name file or function.",
    `${programs()}\n`
  ].join("\n\n")
