/** `tsrun logout`: forgets the credentials of registries. */
import { logout, logoutOfAll, registryDomain } from '../../engine/registry-login.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'logout [options] [REGISTRY]',
  describe: 'Log out of a registry: Docker Hub when none is named.',
  options: {
    all: { type: 'flag', alias: 'a', describe: "all registries in docker's config.json" },
  },
  examples: [{ does: 'Of one registry', line: 'logout registry.example.org' }],
  positionals: { min: 0, max: 1 },
  worksWithoutRoot: () => true,
  run,
}

async function run({ options, positionals }: CommandInput): Promise<number> {
  if (options.flag('all')) {
    for (const host of await logoutOfAll())
      process.stdout.write(`Removing login credentials for ${host}\n`)
    return 0
  }
  const domain = registryDomain(positionals[0])
  const text = (await logout(positionals[0]))
    ? `Removing login credentials for ${domain}`
    : `Not logged in to ${domain}`
  process.stdout.write(`${text}\n`)
  return 0
}
