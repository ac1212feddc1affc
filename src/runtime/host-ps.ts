/** The host's ps(1), filtered to some processes: what runc's `ps` prints. */
import { accessSync, constants, openSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { startExecutable } from '../native/executor.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { pipePair } from '../native/pass-descriptors.ts'
import { reap } from '../native/syscalls.ts'

/** Where callers without a PATH have their programs: podman gives its runtime none. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The lines of `ps <options>` (default `-ef`) for `pids`, with the head line. */
export function hostProcessTable(pids: readonly number[], options: readonly string[]): string {
  const wanted = new Set(pids.map(String))
  const output = runPs(findPs(), options.length === 0 ? ['-ef'] : options)
  const [head = '', ...lines] = output.split('\n')
  const column = head.trim().split(/\s+/).indexOf('PID')
  if (column < 0) {
    throw new TsrunError('invalid-argument', 'cannot find a PID column in the output of ps', {
      hint: 'give ps options that print one',
    })
  }
  const shown = lines.filter((line) => wanted.has(line.trim().split(/\s+/)[column] ?? ''))
  return `${[head, ...shown].join('\n')}\n`
}

// Started as the executor is: from a descriptor, with nothing of ours but stderr.
function runPs(path: string, options: readonly string[]): string {
  using program = new OwnedFd(openSync(path, constants.O_RDONLY))
  using nothing = new OwnedFd(openSync('/dev/null', constants.O_RDONLY))
  const [reader, writer] = pipePair()
  using output = reader
  using theirs = writer
  const { pidfd } = startExecutable(program.fd, ['ps', ...options], [nothing.fd, theirs.fd, 2])
  using ended = pidfd
  theirs.close()
  const text = readFileSync(output.fd, 'utf8')
  reap(ended.fd, true)
  return text
}

function findPs(): string {
  const folders = (process.env.PATH ?? DEFAULT_PATH).split(delimiter)
  const found = folders.map((folder) => join(folder, 'ps')).find(isExecutable)
  if (found !== undefined) return found
  throw new TsrunError('not-found', 'cannot run ps: there is none on the PATH', {
    hint: 'install procps, or use --format json',
  })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Not there, or not for us: the next folder.
    return false
  }
}
