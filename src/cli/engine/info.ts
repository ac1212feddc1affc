/** `tsrun info`: what tsrun sees of this machine and keeps on it. */
import { openEngine } from '../../engine/engine.ts'
import { systemInfo } from '../../engine/system-info.ts'
import { formatObjects } from '../output.ts'
import type { CommandInput, EngineCommand } from './command.ts'

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
  if (format === undefined) {
    for (const [name, value] of Object.entries(info))
      process.stdout.write(`${name}: ${String(value)}\n`)
  } else {
    process.stdout.write(
      format === 'json' ? `${JSON.stringify(info)}\n` : formatObjects([info], format),
    )
  }
  return 0
}
