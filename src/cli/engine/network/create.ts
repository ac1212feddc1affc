/** `tsrun network create`: a network of one's own, in which containers find each other by name. */
import { openEngine } from '../../../engine/engine.ts'
import { createNetwork } from '../../../engine/networks/create-network.ts'
import { TsrunError } from '../../../errors.ts'
import type { CommandInput, EngineCommand } from '../command.ts'

export const command: EngineCommand = {
  usage: 'network create [options] NETWORK',
  describe: 'Make a network, and print its id.',
  options: {
    driver: {
      type: 'string',
      alias: 'd',
      describe: 'bridge (default) or macvlan',
      value: 'name',
    },
    gateway: { type: 'list', describe: "the host's address in a subnet", value: 'address' },
    internal: { type: 'flag', describe: 'without a way to the outside' },
    'ip-range': { type: 'list', describe: 'give addresses from this part', value: 'subnet' },
    ipv4: { type: 'flag', describe: 'with IPv4 addresses (default)' },
    ipv6: { type: 'flag', describe: 'with IPv6 addresses' },
    label: { type: 'list', describe: 'a label of the network', value: 'key[=value]' },
    opt: { type: 'list', alias: 'o', describe: 'an option of the driver', value: 'key=value' },
    subnet: { type: 'list', describe: 'a subnet that it has', value: 'subnet' },
  },
  examples: [
    { does: 'A network for an application', line: 'network create app' },
    {
      does: 'Containers as neighbours of what is behind eth0',
      line: 'network create -d macvlan -o parent=eth0 --subnet 192.0.2.0/24 lan',
    },
    {
      does: 'With both kinds of addresses',
      line: 'network create --ipv6 --subnet 10.9.0.0/24 app',
    },
  ],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const { id } = await createNetwork(engine, {
    name: positionals[0] ?? '',
    driver: options.string('driver') ?? 'bridge',
    subnets: options.list('subnet'),
    gateways: options.list('gateway'),
    ipRanges: options.list('ip-range'),
    internal: options.flag('internal'),
    ipv4: options.flag('ipv4', true),
    ipv6: options.flag('ipv6'),
    labels: pairsOf('label', options.list('label')),
    options: pairsOf('opt', options.list('opt')),
  })
  process.stdout.write(`${id}\n`)
  return 0
}

function pairsOf(option: string, texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const [key = '', ...rest] = text.split('=')
      if (key !== '' && (option === 'label' || rest.length > 0)) return [key, rest.join('=')]
      throw new TsrunError('invalid-argument', `cannot use --${option} "${text}": it is key=value`)
    }),
  )
}
