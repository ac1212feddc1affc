/** `tsrun version`: which tsrun this is. */
import { release } from 'node:os'
import { VERSION } from '../../version.ts'
import { formatObject } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

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
  const version = versions()
  const format = options.string('format')
  print(format === undefined ? textOf(version) : formatObject(version, format))
  return 0
}

/** In docker's shape: there is no server, so the engine in this process answers for one. */
function versions() {
  const common = {
    Version: VERSION,
    Os: process.platform,
    Arch: process.arch === 'x64' ? 'amd64' : process.arch,
  }
  const engine = { OciVersion: '1.3.0', NodeVersion: process.versions.node }
  return {
    Client: { ...common, ...engine },
    Server: {
      Platform: { Name: 'tsrun' },
      Components: [
        { Name: 'Engine', Version: VERSION, Details: { ...engine, KernelVersion: release() } },
      ],
      ...common,
      KernelVersion: release(),
    },
  }
}

function textOf({ Client, Server }: ReturnType<typeof versions>): string {
  const lines = [
    ['Version:', Client.Version],
    ['OCI version:', Client.OciVersion],
    ['Node version:', Client.NodeVersion],
    ['OS/Arch:', `${Client.Os}/${Client.Arch}`],
    ['Kernel:', Server.KernelVersion],
  ]
  return `Client and engine:\n${lines.map(([name = '', text]) => ` ${name.padEnd(18)}${text}\n`).join('')}`
}
