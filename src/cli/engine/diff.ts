/** `tsrun diff`: what a container has added (A), changed (C) and removed (D) of its image's files. */
import { openEngine } from '../../engine/engine.ts'
import { diffContainer } from '../../engine/files/diff-container.ts'
import { printable } from '../../errors.ts'
import { fromByteText } from '../../util/byte-text.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'diff CONTAINER',
  describe: 'Show which files a container has added (A), changed (C) and removed (D).',
  options: {},
  examples: [{ does: 'See what a container has written', line: 'diff web' }],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const changes = await diffContainer(engine, engine.containers.find(positionals[0] ?? ''))
  // A name with a newline in it must not look like two changes, to programs neither.
  const lines = changes.map(({ kind, path }) => `${kind} ${printable(fromByteText(path))}\n`)
  process.stdout.write(lines.join(''))
  return 0
}
