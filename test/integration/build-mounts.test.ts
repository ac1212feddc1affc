/** A context with mounts of the host in it: a build sees them, writes to none, and leaves them where they are. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { shellWord } from '../support/shell-word.ts'

describe.skipIf(missing('root', 'cgroup2'))('RUN --mount=type=bind of the context', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterAll(() => engine[Symbol.dispose]())

  it('takes nothing away below it where mounts are shared, as systemd makes them', () => {
    const context = join(engine.directory, 'context')
    mkdirSync(join(context, 'sub'), { recursive: true })
    const run = 'cat /ctx/sub/kept > /seen; ! touch /ctx/sub/new; ! touch /ctx/new'
    const file = `FROM busybox\\nRUN --mount=type=bind,target=/ctx ${run}\\n`
    const tsrun = (...args: string[]) => engine.commandLine(args).map(shellWord).join(' ')
    const script = `set -e
      mount --bind ${context} ${context}
      mount -t tmpfs none ${context}/sub
      echo kept > ${context}/sub/kept
      printf ${shellWord(file)} > ${engine.directory}/Dockerfile
      ${tsrun('build', '-q', '-t', 'seen', '-f', join(engine.directory, 'Dockerfile'), context)}
      cat ${context}/sub/kept; ls ${context} ${context}/sub
      ${tsrun('run', '--rm', 'seen', 'cat', '/seen')}`
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-m', '--propagation', 'shared', 'sh', '-c', script],
      { encoding: 'utf8', timeout: 60_000 },
    )
    const places = `${context}:\nsub\n\n${context}/sub:\nkept\n`
    expect(stdout.replace(/^sha256:.*\n/, ''), stderr).toBe(`kept\n${places}kept\n`)
  })
})
