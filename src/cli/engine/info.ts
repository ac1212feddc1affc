/** `tsrun info`: what tsrun sees of this machine and keeps on it. */
import { openEngine } from '../../engine/engine.ts'
import { systemInfo } from '../../engine/system-info.ts'
import { binarySize } from '../../util/size.ts'
import { formatObject } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { print } from './print.ts'

export const command: EngineCommand = {
  usage: 'info [options]',
  describe: 'Show what tsrun sees of this machine and keeps on it.',
  options: {
    format: { type: 'string', alias: 'f', describe: 'json or a Go template', value: 'text' },
  },
  examples: [{ does: 'One fact', line: 'info --format "{{.KernelVersion}}"' }],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const info = systemInfo(engine)
  const format = options.string('format')
  if (format === undefined) print(textOf(info))
  else print(formatObject(info, format))
  return 0
}

/** docker's headings for the fields. */
const LINES: readonly (readonly [string, string])[] = [
  ['Containers', 'Containers'],
  [' Running', 'ContainersRunning'],
  [' Paused', 'ContainersPaused'],
  [' Stopped', 'ContainersStopped'],
  ['Images', 'Images'],
  ['Server Version', 'ServerVersion'],
  ['Storage Driver', 'Driver'],
  ['Logging Driver', 'LoggingDriver'],
  ['Cgroup Driver', 'CgroupDriver'],
  ['Cgroup Version', 'CgroupVersion'],
  [' Mode', 'CgroupMode'],
  ['Security Options', 'SecurityOptions'],
  ['Kernel Version', 'KernelVersion'],
  ['Operating System', 'OperatingSystem'],
  ['OSType', 'OSType'],
  ['Architecture', 'Architecture'],
  ['CPUs', 'NCPU'],
  ['Total Memory', 'MemTotal'],
  ['Name', 'Name'],
  ['Root Dir', 'DockerRootDir'],
  ['State Dir', 'StateRoot'],
]

function textOf(info: Readonly<Record<string, unknown>>): string {
  const lines = LINES.map(([heading, field]) => `${heading}: ${shownValue(field, info[field])}\n`)
  const { Warnings: warnings } = info
  const warned = Array.isArray(warnings) ? warnings.map((text) => `WARNING: ${text}\n`) : []
  return [...lines, ...warned].join('')
}

function shownValue(field: string, value: unknown): string {
  if (field === 'MemTotal') return binarySize(Number(value))
  if (Array.isArray(value)) return value.map((item) => String(item).replace(/^name=/, '')).join(' ')
  return String(value)
}
