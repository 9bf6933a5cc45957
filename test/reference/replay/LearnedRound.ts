import { type Replay, unsupported } from "../Case.ts"

export const replay: Replay = async () => unsupported("not replayed yet")
