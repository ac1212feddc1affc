/** `tsrun cp`: files between a container and the host, or a tar on stdin or stdout. */
import { openEngine } from '../../engine/engine.ts'
import {
  type CopyOptions,
  copyFromContainer,
  copyToContainer,
  tarFromContainer,
  tarToContainer,
} from '../../engine/files/copy-container.ts'
import { TsrunError } from '../../errors.ts'
import { humanSize } from '../../util/size.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { warnOfSkipped } from './warn.ts'
import { writeOutput } from './write-output.ts'

export const command: EngineCommand = {
  usage: 'cp [options] CONTAINER:PATH PATH|- | PATH|- CONTAINER:PATH',
  describe:
    'Copy files between a container, running or not, and the host. - is a tar on stdin or stdout; a source that ends with /. is copied without its folder.',
  options: {
    archive: {
      type: 'flag',
      alias: 'a',
      describe: 'keep owners; into a container: give all to its user',
    },
    'follow-link': { type: 'flag', alias: 'L', describe: 'follow a link at the end of the source' },
    quiet: { type: 'flag', alias: 'q', describe: 'say nothing when it is done' },
  },
  examples: [
    { does: 'Fetch a file', line: 'cp web:/etc/hosts .' },
    { does: 'Fill a folder of a container', line: 'cp ./site/. web:/www' },
    { does: 'Look into a folder without copying it', line: 'cp web:/var/log - | tar -tv' },
  ],
  positionals: { min: 2, max: 2 },
  run,
}

interface ContainerPath {
  readonly container: string
  readonly path: string
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const [source = '', destination = ''] = positionals
  const [from, to] = [containerPathOf(source), containerPathOf(destination)]
  if (from !== undefined && to !== undefined)
    throw new TsrunError('invalid-argument', 'copying between containers is not supported', {
      hint: 'pipe it: tsrun cp a:/path - | tsrun cp - b:/path',
    })
  const engine = openEngine(roots)
  await engine.sweep()
  const copyOptions: CopyOptions = {
    archive: options.flag('archive'),
    followLink: options.flag('follow-link'),
    onSkipped: warnOfSkipped,
  }
  let size: number | undefined
  if (from !== undefined) {
    const id = engine.containers.find(from.container)
    if (destination === '-') await writeOutput(tarFromContainer(engine, id, from.path, copyOptions))
    else size = await copyFromContainer(engine, id, from.path, destination, copyOptions)
  } else if (to !== undefined) {
    const id = engine.containers.find(to.container)
    if (source === '-') await tarToContainer(engine, id, process.stdin, to.path, copyOptions)
    else size = await copyToContainer(engine, id, source, to.path, copyOptions)
  } else
    throw new TsrunError('invalid-argument', 'must specify at least one container source', {
      hint: 'write one side as CONTAINER:PATH',
    })
  const isQuiet = options.flag('quiet', process.stdout.isTTY !== true)
  if (!isQuiet && size !== undefined)
    process.stderr.write(`Successfully copied ${humanSize(size, 3)} to ${destination}\n`)
  return 0
}

/** As docker: what begins with a slash or a dot is a path of the host, whatever colons it has. */
function containerPathOf(text: string): ContainerPath | undefined {
  if (/^[./]/.test(text)) return undefined
  const colon = text.indexOf(':')
  if (colon === -1) return undefined
  const path = text.slice(colon + 1)
  if (path === '')
    throw new TsrunError('invalid-argument', `cannot copy "${text}": the path must not be empty`)
  return { container: text.slice(0, colon), path }
}
