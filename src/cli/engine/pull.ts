/** `tsrun pull`: fetches an image from a registry. */
import { openEngine } from '../../engine/engine.ts'
import { lockedNames, type PullRequest, pull, pullAllTags } from '../../engine/pull-image.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, CommandOptions, EngineCommand } from './command.ts'
import { collectInOneGo } from './fewer-collections.ts'
import { PullDisplay } from './pull-display.ts'

export const command: EngineCommand = {
  usage: 'pull [options] [IMAGE...]',
  describe: 'Fetch images from registries.',
  options: {
    'all-tags': { type: 'flag', alias: 'a', describe: 'every tag of the repository' },
    lock: {
      type: 'string',
      describe:
        'pull by the digests in the file and add those that it lacks; without IMAGE all in it',
      value: 'file',
    },
    'update-lock': { type: 'flag', describe: 'pin what the tags mean now' },
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
  positionals: { min: 0, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  collectInOneGo()
  const engine = openEngine(roots)
  await engine.sweep()
  using display = new PullDisplay(process.stderr, options.flag('quiet'))
  const lockFile = options.string('lock')
  const request: Omit<PullRequest, 'name'> = {
    platform: options.string('platform'),
    verifyTls: options.flag('tls-verify', true),
    lockFile,
    updateLock: options.flag('update-lock'),
    onProgress: (event) => display.show(event),
  }
  for (const name of await namesToPull(options, positionals)) {
    const images = options.flag('all-tags')
      ? await pullAllTags(engine, { ...request, name })
      : [await pull(engine, { ...request, name })]
    await display.end()
    for (const { id } of images) process.stdout.write(`${id.replace(/^sha256:/, '')}\n`)
  }
  return 0
}

async function namesToPull(
  options: CommandOptions,
  positionals: readonly string[],
): Promise<readonly string[]> {
  const lockFile = options.string('lock')
  if (lockFile === undefined && options.flag('update-lock'))
    throw new TsrunError('invalid-argument', 'cannot use --update-lock without --lock FILE')
  if (positionals.length > 0) return positionals
  const names =
    lockFile === undefined ? [] : await lockedNames(lockFile, options.string('platform'))
  if (names.length > 0) return names
  throw new TsrunError(
    'invalid-argument',
    lockFile === undefined
      ? 'cannot pull: no image is named'
      : `cannot pull: "${lockFile}" pins nothing for this platform`,
    { hint: 'usage: tsrun pull [options] IMAGE...' },
  )
}
