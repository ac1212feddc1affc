/** criu for tests: a real one that works on this kernel, and one that follows a script. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** Where .ci/newer-criu.mjs puts a criu for kernels that are newer than the distribution's. */
const FETCHED = join(repository, 'rootfs-cache/cache/criu/criu')

/** A criu that says it can work here, or undefined: criu older than the kernel cannot. */
export function workingCriu(): string | undefined {
  const candidates = [FETCHED, '/usr/sbin/criu']
  return candidates.find((path) => existsSync(path) && spawnSync(path, ['check']).status === 0)
}

export interface ScriptedCriu {
  /** For --criu. */
  readonly path: string
  /** The requests that came, one each. */
  requests(): readonly Buffer[]
}

/**
 * A `criu swrk` in `directory` that answers the nth message with the nth of `answers` (bytes in hex), and
 * ends when it has none left.
 */
export function scriptCriu(directory: string, answers: readonly string[]): ScriptedCriu {
  const path = join(directory, 'criu')
  const log = join(directory, 'criu-requests')
  writeFileSync(log, '')
  const script = [
    `#!${process.execPath}`,
    "const { appendFileSync, readSync, writeSync } = require('node:fs')",
    `const answers = ${JSON.stringify(answers.map((answer) => answer.replaceAll(' ', '')))}`,
    'const bytes = Buffer.alloc(65536)',
    'for (const answer of answers) {',
    '  const length = readSync(3, bytes)',
    '  if (length === 0) break',
    `  appendFileSync(${JSON.stringify(log)}, bytes.toString('hex', 0, length) + '\\n')`,
    "  if (answer !== '') writeSync(3, Buffer.from(answer, 'hex'))",
    '}',
  ]
  writeFileSync(path, `${script.join('\n')}\n`, { mode: 0o755 })
  return {
    path,
    requests: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => Buffer.from(line, 'hex')),
  }
}
