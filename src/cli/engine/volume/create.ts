/** `tsrun volume create`: makes a volume. */
import { openEngine } from '../../../engine/engine.ts'
import { createVolume } from '../../../engine/volumes/create-volume.ts'
import { TsrunError } from '../../../errors.ts'
import type { CommandInput, EngineCommand } from '../command.ts'

export const command: EngineCommand = {
  usage: 'volume create [options] [NAME]',
  describe: 'Make a volume and print its name; without a name it gets a random one.',
  options: {
    driver: {
      type: 'string',
      alias: 'd',
      describe: 'the driver, of which there is one',
      value: 'local',
    },
    label: { type: 'list', describe: 'a label for the volume', value: 'key[=value]' },
    opt: {
      type: 'list',
      alias: 'o',
      describe: 'an option of the driver: type=, device=, o=, as mount(8) has them',
      value: 'key=value',
    },
  },
  examples: [
    { does: 'A volume that keeps a database', line: 'volume create pgdata' },
    {
      does: 'One in memory, which lives for as long as a container uses it',
      line: 'volume create -o type=tmpfs -o device=tmpfs -o o=size=64m scratch',
    },
  ],
  positionals: { min: 0, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const name = createVolume(engine, positionals[0], {
    driver: options.string('driver') ?? 'local',
    driverOptions: pairs('opt', options.list('opt')),
    labels: pairs('label', options.list('label')),
  })
  process.stdout.write(`${name}\n`)
  return 0
}

function pairs(option: string, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [key = '', ...value] = text.split('=')
      if (key === '' || (option === 'opt' && value.length === 0)) {
        throw new TsrunError(
          'invalid-argument',
          `cannot use --${option} "${text}": it must be key=value`,
        )
      }
      return [key, value.join('=')]
    }),
  )
}
