/** `tsrun build`: makes an image by the instructions of a Dockerfile. */
import { writeFileSync } from 'node:fs'
import { buildImage } from '../../engine/build/build-image.ts'
import type { BuildRequest } from '../../engine/build/build-request.ts'
import { readDockerfile } from '../../engine/build/read-dockerfile.ts'
import { openEngine } from '../../engine/engine.ts'
import { nameFile } from '../../util/name-file.ts'
import { inForeground } from '../foreground-signals.ts'
import { BuildDisplay } from './build-display.ts'
import { BUILD_OPTIONS, buildOptionsOf } from './build-options.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { FORWARDED } from './forward-signal.ts'

export const command: EngineCommand = {
  usage: 'build [options] FOLDER|-',
  describe:
    'Make an image by the instructions of a Dockerfile, with files of a folder. What has not changed since the last build is taken from the cache.',
  options: BUILD_OPTIONS,
  examples: [
    { does: 'From the Dockerfile in this folder', line: 'build -t app .' },
    {
      does: 'One stage of another file, with an argument',
      line: 'build -f app.Dockerfile --target test --build-arg VERSION=2 .',
    },
    { does: 'From standard input, without files', line: 'build -t tools -' },
    {
      does: 'With a secret that is in no layer',
      line: 'build --secret id=token,src=token.txt .',
    },
  ],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const [context = '.'] = positionals
  const own = buildOptionsOf(options, process.env)
  const dockerfile = await readDockerfile({ context, file: options.string('file') })
  const engine = openEngine(roots)
  await engine.sweep()
  const display = new BuildDisplay((text) => process.stderr.write(text), own.progress)
  return await inForeground(FORWARDED, async (signals) => {
    const request: BuildRequest = {
      ...own.request,
      dockerfile,
      context: context === '-' ? undefined : context,
      signal: signals.stop,
      onProgress: (event) => display.show(event),
    }
    const { id } = await buildImage(engine, request)
    const file = options.string('iidfile')
    if (file !== undefined) nameFile(file, () => writeFileSync(file, id))
    process.stdout.write(`${id}\n`)
    return 0
  })
}
