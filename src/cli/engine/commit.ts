/** `tsrun commit`: an image of what a container has made of its own. */
import { openEngine } from '../../engine/engine.ts'
import { commitContainer } from '../../engine/files/commit-container.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { warnOfSkipped } from './warn.ts'

export const command: EngineCommand = {
  usage: 'commit [options] CONTAINER [IMAGE]',
  describe: 'Make an image of a container: its image, and on top what the container has changed.',
  options: {
    author: { type: 'string', alias: 'a', describe: 'who made it', value: 'name' },
    change: {
      type: 'list',
      alias: 'c',
      describe: 'an instruction of a Dockerfile, such as CMD or ENV',
      value: 'instruction',
    },
    message: { type: 'string', alias: 'm', describe: 'what was done', value: 'text' },
    pause: { type: 'flag', alias: 'p', describe: 'freeze the container meanwhile (default)' },
  },
  examples: [
    { does: 'Keep what was installed by hand', line: 'commit web my/web:v2' },
    { does: 'With another command', line: 'commit -c \'CMD ["httpd", "-f"]\' web my/web:v3' },
  ],
  positionals: { min: 1, max: 2 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const [container = '', name] = positionals
  const id = await commitContainer(engine, engine.containers.find(container), {
    name,
    author: options.string('author'),
    message: options.string('message'),
    changes: options.list('change'),
    pause: options.flag('pause', true),
    onSkipped: warnOfSkipped,
  })
  process.stdout.write(`${id}\n`)
  return 0
}
