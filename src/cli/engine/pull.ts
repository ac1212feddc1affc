/** `tsrun pull`: fetches an image from a registry. */
import { openEngine } from '../../engine/engine.ts'
import { pull } from '../../engine/images.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { PullDisplay } from './pull-display.ts'

export const command: EngineCommand = {
  usage: 'pull [options] IMAGE',
  describe: 'Fetch an image from a registry.',
  options: {
    platform: {
      type: 'string',
      describe: "os/architecture[/variant] instead of this machine's",
      value: 'text',
    },
    quiet: { type: 'flag', alias: 'q', describe: 'print nothing but the id' },
    'tls-verify': { type: 'flag', describe: 'false: take any certificate, or plain HTTP' },
  },
  examples: [
    { does: 'The newest Alpine Linux', line: 'pull alpine' },
    {
      does: 'An image of another registry for another machine',
      line: 'pull --platform linux/arm64 quay.io/podman/hello',
    },
  ],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const quiet = options.flag('quiet')
  using display = new PullDisplay(process.stderr, quiet)
  const image = await pull(engine, {
    name: positionals[0] ?? '',
    platform: options.string('platform'),
    verifyTls: options.flag('tls-verify', true),
    onProgress: (event) => display.show(event),
  })
  await display.end()
  process.stdout.write(`${image.id.replace(/^sha256:/, '')}\n`)
  return 0
}
