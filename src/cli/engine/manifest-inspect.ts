/** `tsrun manifest inspect`: a manifest or index as it is. */
import { openEngine } from '../../engine/engine.ts'
import { manifestBytes } from '../../engine/manifest-lists.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

export const command: EngineCommand = {
  usage: 'manifest inspect [options] NAME',
  describe:
    'Show a manifest or index: the one that is here, else the one of the registry, which is asked for nothing more.',
  options: {
    raw: { type: 'flag', describe: 'byte for byte, not indented' },
    remote: { type: 'flag', describe: 'ask the registry also when it is here' },
    'tls-verify': { type: 'flag', describe: 'false: take any certificate, or plain HTTP' },
  },
  examples: [{ does: 'Which platforms there are', line: 'manifest inspect --remote alpine' }],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const bytes = await manifestBytes(openEngine(roots), {
    name: positionals[0] ?? '',
    remote: options.flag('remote'),
    verifyTls: options.flag('tls-verify', true),
  })
  if (options.flag('raw')) process.stdout.write(bytes)
  else print(`${JSON.stringify(JSON.parse(bytes.toString('utf8')), undefined, 2)}\n`)
  return 0
}
