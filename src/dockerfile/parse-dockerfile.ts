/** A Dockerfile as stages of instructions. */
import { dockerfileError } from './dockerfile-error.ts'
import type { Dockerfile, Instruction, Settings, Stage } from './instruction.ts'
import { parseFrom, parseInstruction } from './parse-instruction.ts'
import { splitInstructions } from './split-instructions.ts'

/** Throws `invalid-argument` or `not-implemented` with `file` and line. */
export function parseDockerfile(text: string, file: string): Dockerfile {
  const { escapeChar, instructions } = splitInstructions(text, file)
  const globalArgs: Settings[] = []
  const stages: (Stage & { readonly instructions: Instruction[] })[] = []
  for (const raw of instructions) {
    const stage = stages.at(-1)
    if (raw.keyword === 'FROM') stages.push({ from: parseFrom(raw), instructions: [] })
    else {
      const instruction = parseInstruction(raw, escapeChar)
      if (stage !== undefined) stage.instructions.push(instruction)
      else if (instruction.kind === 'ARG') globalArgs.push(instruction as Settings)
      else throw dockerfileError(raw, `${raw.keyword} stands before the first FROM`)
    }
  }
  if (stages.length === 0) throw dockerfileError({ file, line: 1 }, 'it has no FROM')
  const names = new Map<string, number>()
  for (const { from } of stages) {
    if (from.stage === undefined) continue
    const first = names.get(from.stage)
    if (first !== undefined)
      throw dockerfileError(
        { file, line: from.line },
        `the stage "${from.stage}" is already in line ${first}`,
      )
    names.set(from.stage, from.line)
  }
  return { file, escapeChar, globalArgs, stages }
}

/** The instruction that an image keeps for those that are built on it. */
export function parseTrigger(trigger: string, image: string): Instruction {
  const file = `ONBUILD of ${image}`
  const { escapeChar, instructions } = splitInstructions(trigger, file)
  const [raw, ...more] = instructions
  if (raw === undefined || more.length > 0 || ['FROM', 'ONBUILD'].includes(raw.keyword))
    throw dockerfileError(
      { file, line: 1 },
      'it must hold one instruction, and not FROM or ONBUILD',
    )
  return parseInstruction(raw, escapeChar)
}
