#!/usr/bin/env node
/**
 * The command line of breve: `breve train`, `breve quantize`, `breve export`, `breve verify`, `breve inspect` and `breve laws`.
 *
 * Room: cli (level 6). Imports: effect, its own room.
 */
import { Effect, Layer, pipe } from "effect"
import { CliConfig, Command, GlobalFlag } from "effect/cli"
import * as Export from "./Export.ts"
import * as Inspect from "./Inspect.ts"
import * as Laws from "./Laws.ts"
import * as Node from "./Node.ts"
import * as Quantize from "./Quantize.ts"
import * as Train from "./Train.ts"
import * as Verify from "./Verify.ts"

const breve = Command.make("breve").pipe(
  Command.withDescription("Quantizers for neural networks as composable values."),
  Command.withSubcommands([
    Train.command,
    Quantize.command,
    Export.command,
    Verify.command,
    Inspect.command,
    Laws.command
  ])
)

// effect's own wizard asks questions, and this terminal reads no answers
const config = CliConfig.layer({ builtIns: GlobalFlag.BuiltIns.filter((flag) => flag !== GlobalFlag.Wizard) })

pipe(Command.run(breve, { version: "0.5.0" }), Effect.provide(Layer.merge(Node.layer, config)), Node.runMain)
