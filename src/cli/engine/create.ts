/** `tsrun create`: a new container that is not started yet. */
import type { PullProgress } from '../../engine/container-image.ts'
import { createContainer } from '../../engine/create-container.ts'
import { openEngine } from '../../engine/engine.ts'
import { inForeground } from '../foreground-signals.ts'
import { CidFile } from './cid-file.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { PullDisplay } from './pull-display.ts'
import { RUN_OPTIONS, runRequestOf } from './run-options.ts'

const {
  attach: _a,
  detach: _d,
  'detach-keys': _k,
  'sig-proxy': _s,
  ...CREATE_OPTIONS
} = RUN_OPTIONS

export const command: EngineCommand = {
  usage: 'create [options] IMAGE [COMMAND] [ARG...]',
  describe: 'Make a new container without starting it, and print its id.',
  options: CREATE_OPTIONS,
  examples: [{ does: 'Make one now, start it later', line: 'create --name web busybox httpd -f' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const request = runRequestOf(options, positionals)
  using display = new PullDisplay(process.stderr, options.flag('quiet'))
  using cidFile = new CidFile(options.string('cidfile'))
  return await inForeground(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'], async ({ stop }) => {
    const id = await createContainer(engine, request, {
      workingDirectory: process.cwd(),
      onPull: (event: PullProgress) => display.show(event),
      signal: stop,
    })
    cidFile.write(id)
    process.stdout.write(`${id}\n`)
    return 0
  })
}
