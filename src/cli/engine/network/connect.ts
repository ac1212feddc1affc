/** `tsrun network connect`: one more network for a container, also while it runs. */
import { openEngine } from '../../../engine/engine.ts'
import { connectNetwork } from '../../../engine/networks/connect-network.ts'
import type { CommandInput, EngineCommand } from '../command.ts'

export const command: EngineCommand = {
  usage: 'network connect [options] NETWORK CONTAINER',
  describe: 'Put a container into one more network. It stays in it when it is started anew.',
  options: {
    alias: { type: 'list', describe: 'a further name by which others find it', value: 'name' },
    ip: { type: 'string', describe: 'the IPv4 address it gets', value: 'address' },
    ip6: { type: 'string', describe: 'the IPv6 address it gets', value: 'address' },
    'mac-address': { type: 'string', describe: 'the MAC address it gets', value: 'address' },
  },
  examples: [{ does: 'Under a name of its own', line: 'network connect --alias db app store' }],
  positionals: { min: 2, max: 2 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const [network = '', container = ''] = positionals
  const [ipv4, ipv6] = [options.string('ip'), options.string('ip6')]
  const mac = options.string('mac-address')
  const aliases = options.list('alias')
  await connectNetwork(engine, engine.containers.find(container), {
    network,
    ...(aliases.length === 0 ? {} : { aliases }),
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(mac === undefined ? {} : { mac }),
  })
  return 0
}
