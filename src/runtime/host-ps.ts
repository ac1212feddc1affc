/** The host's ps(1), filtered to some processes: what runc's `ps` prints. */
import { constants, openSync, readFileSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { startExecutable } from '../native/executor.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { pipePair } from '../native/pass-descriptors.ts'
import { reap } from '../native/syscalls.ts'
import { isExecutable, programPaths } from './find-program.ts'

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
  const found = programPaths('ps', process.env).find(isExecutable)
  if (found !== undefined) return found
  throw new TsrunError('not-found', 'cannot run ps: there is none on the PATH', {
    hint: 'install procps, or use --format json',
  })
}
