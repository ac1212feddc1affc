/** `tsrun internal-names`: the names that completions offer, one a line. */
import { openEngine } from '../../engine/engine.ts'
import { familiarReference, parseReference } from '../../oci/reference.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'internal-names KIND',
  describe: 'Print the names of containers, images, volumes or networks. Called by completions.',
  options: {},
  examples: [],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  const names = await namesOf(engine, positionals[0] ?? '')
  process.stdout.write(names.map((name) => `${name}\n`).join(''))
  return 0
}

async function namesOf(engine: ReturnType<typeof openEngine>, kind: string): Promise<string[]> {
  if (kind === 'containers') return engine.containers.names().map(({ name }) => name)
  if (kind === 'volumes') return engine.volumes.names()
  if (kind === 'images') {
    const { imagesOf } = await import('../../engine/images.ts')
    return imagesOf(engine)
      .names.list()
      .flatMap(({ name }) => (name === undefined ? [] : [familiarReference(parseReference(name))]))
  }
  return []
}
