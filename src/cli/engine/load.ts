/** `tsrun load`: reads images from an archive. */
import { openEngine } from '../../engine/engine.ts'
import { loadImages } from '../../engine/images.ts'
import { TsrunError } from '../../errors.ts'
import { familiarReference, parseReference } from '../../oci/reference.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { collectInOneGo } from './fewer-collections.ts'
import { print } from './print.ts'
import { PullDisplay } from './pull-display.ts'

export const command: EngineCommand = {
  usage: 'load [options]',
  describe:
    'Read images from a tar, also compressed, or a folder: an OCI image layout, a docker archive or the dir of skopeo.',
  options: {
    input: {
      type: 'string',
      alias: 'i',
      describe: 'the file or folder instead of standard input',
      value: 'file',
    },
    platform: {
      type: 'string',
      describe: "os/architecture[/variant] instead of this machine's",
      value: 'text',
    },
    quiet: { type: 'flag', alias: 'q', describe: 'print nothing' },
  },
  examples: [{ does: 'From a file', line: 'load -i alpine.tar' }],
  positionals: { min: 0, max: 0 },
  run,
}

async function run({ options, roots }: CommandInput): Promise<number> {
  const path = options.string('input')
  const quiet = options.flag('quiet')
  if (path === undefined && process.stdin.isTTY) {
    throw new TsrunError('invalid-argument', 'cannot load from a terminal', {
      hint: 'use -i FILE or redirect standard input',
    })
  }
  collectInOneGo()
  const engine = openEngine(roots)
  await engine.sweep()
  // Elsewhere than on a terminal docker's lines are enough.
  using display = new PullDisplay(process.stderr, quiet || process.stderr.isTTY !== true)
  const images = await loadImages(engine, {
    path,
    platform: options.string('platform'),
    onProgress: (event) => display.show(event),
  })
  await display.end()
  if (quiet) return 0
  for (const { id, names } of images) {
    const shown =
      names.length === 0
        ? [`Loaded image ID: ${id}`]
        : names.map((name) => `Loaded image: ${familiarReference(parseReference(name))}`)
    print(shown.map((line) => `${line}\n`).join(''))
  }
  return 0
}
