/** `tsrun version`: which tsrun this is. */
import { VERSION } from '../../version.ts'
import { formatObjects } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'version [options]',
  describe: 'Show the version.',
  options: {
    format: { type: 'string', alias: 'f', describe: 'json or a Go template', value: 'text' },
  },
  examples: [{ does: 'Only the number', line: 'version --format "{{.Client.Version}}"' }],
  positionals: { min: 0, max: 0 },
  worksWithoutRoot: () => true,
  run,
}

async function run({ options }: CommandInput): Promise<number> {
  const version = {
    Client: {
      Version: VERSION,
      OciVersion: '1.3.0',
      NodeVersion: process.versions.node,
      Os: process.platform,
      Arch: process.arch === 'x64' ? 'amd64' : process.arch,
    },
  }
  const format = options.string('format')
  if (format === undefined) {
    const lines = Object.entries(version.Client).map(
      ([name, value]) => `${name.padEnd(12)}  ${value}\n`,
    )
    process.stdout.write(lines.join(''))
  } else if (format === 'json') {
    process.stdout.write(`${JSON.stringify(version)}\n`)
  } else {
    process.stdout.write(formatObjects([version], format))
  }
  return 0
}
