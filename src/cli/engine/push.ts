/** `tsrun push`: sends an image to a registry. */
import { openEngine } from '../../engine/engine.ts'
import { push } from '../../engine/push-image.ts'
import { familiarReference } from '../../oci/reference.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { PullDisplay } from './pull-display.ts'

export const command: EngineCommand = {
  usage: 'push [options] IMAGE [NAME]',
  describe: 'Send an image to a registry, under its own name or another one.',
  options: {
    'all-tags': { type: 'flag', alias: 'a', describe: 'all tags of the repository that are here' },
    platform: {
      type: 'string',
      describe: 'only the image for os/architecture[/variant]',
      value: 'text',
    },
    quiet: { type: 'flag', alias: 'q', describe: 'print nothing but the name' },
    'tls-verify': { type: 'flag', describe: 'false: take any certificate, or plain HTTP' },
  },
  examples: [
    { does: 'Under another name', line: 'push app registry.example.org/team/app:1.0' },
    { does: 'All tags of a repository', line: 'push --all-tags registry.example.org/team/app' },
  ],
  positionals: { min: 1, max: 2 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const quiet = options.flag('quiet')
  const [image = '', to] = positionals
  using display = new PullDisplay(process.stderr, quiet)
  const results = await push(engine, {
    image,
    to,
    allTags: options.flag('all-tags'),
    platform: options.string('platform'),
    verifyTls: options.flag('tls-verify', true),
    onProgress: (event) => {
      if (event.type === 'single-platform')
        process.stderr.write(
          `tsrun: only the image for one platform is pushed: ${event.missing.length} others of its index are not here\n`,
        )
      else display.show(event)
    },
  })
  await display.end()
  for (const { reference, descriptor } of results) {
    const name = familiarReference(reference)
    process.stdout.write(
      quiet ? `${name}\n` : `${name}: digest: ${descriptor.digest} size: ${descriptor.size}\n`,
    )
  }
  return 0
}
