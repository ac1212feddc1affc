/** `tsrun secret inspect`: everything about secrets, in podman's shape, but their content. */
import { openEngine } from '../../../engine/engine.ts'
import { SecretStore } from '../../../engine/secrets/secret-store.ts'
import type { CommandInput, EngineCommand } from '../command.ts'
import { INSPECT_OPTIONS, inspectNames } from '../inspect-names.ts'

export const command: EngineCommand = {
  usage: 'secret inspect [options] SECRET [SECRET...]',
  describe: 'Show everything about secrets, but not what they are, as JSON.',
  options: INSPECT_OPTIONS,
  examples: [{ does: 'When it was made', line: 'secret inspect -f "{{.CreatedAt}}" db-password' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run(input: CommandInput): Promise<number> {
  const engine = openEngine(input.roots)
  await engine.sweep()
  const store = new SecretStore(engine.dataRoot)
  return await inspectNames(input, (name) => {
    const { id, createdAt, labels, name: Name } = store.find(name)
    const Labels = new Map(Object.entries(labels))
    const Spec = { Name, Driver: { Name: 'file', Options: new Map() }, Labels }
    return { ID: id, CreatedAt: createdAt, UpdatedAt: createdAt, Spec }
  })
}
