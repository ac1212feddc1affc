/** Ctrl-C at a terminal goes to every process in the foreground: run and exec must outlive it to tell the exit. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  installedRuntimes,
  makeRuntime,
  type RunOptions,
  type Runtime,
} from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('f')

const TRAP = 'trap "exit 4" INT; echo up; while :; do sleep 0.05; done'

describe.each(installedRuntimes())('%s', (name) => {
  let bundle: Bundle
  let runtime: Runtime
  beforeEach(() => {
    bundle = makeBundle()
    runtime = makeRuntime(name)
  })
  afterEach(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })

  const interrupt = async (child: ChildProcess): Promise<unknown> => {
    if (child.stdout === null) throw new Error('the output is not a pipe')
    await once(child.stdout, 'data')
    process.kill(-(child.pid ?? 0), 'SIGINT')
    const [status, signal] = await once(child, 'exit')
    return { status, signal }
  }
  const options: RunOptions = { stdio: ['ignore', 'pipe', 'inherit'], detached: true }

  it('run passes the status of a process on that ended at Ctrl-C', async () => {
    bundle.command('sh', '-c', TRAP)
    const child = runtime.start(['run', '--bundle', bundle.directory, ID], options)
    expect(await interrupt(child)).toEqual({ status: 4, signal: null })
  })

  it('exec passes the status of a process on that ended at Ctrl-C', async () => {
    bundle.command('sleep', '1000')
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const child = runtime.start(['exec', ID, 'sh', '-c', TRAP], options)
    expect(await interrupt(child)).toEqual({ status: 4, signal: null })
  })
})
