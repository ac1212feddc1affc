/** Several commands on one container at the same moment, in one process: one wins, none hangs, nothing is left. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TsrunError } from '../../src/errors.ts'
import { createContainer } from '../../src/runtime/create.ts'
import { deleteContainer } from '../../src/runtime/delete.ts'
import { readProcStat } from '../../src/runtime/process-liveness.ts'
import { startContainer } from '../../src/runtime/start.ts'
import { containerState, listContainers } from '../../src/runtime/state.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ONE = uniqueId('one')
const START = uniqueId('start')
const END = uniqueId('end')
const ABORT = uniqueId('abort')
const HALF = uniqueId('half')
const LOST = uniqueId('lost')

let bundle: Bundle
let runtime: Runtime

beforeAll(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
})
afterAll(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const create = (id: string, more: { signal?: AbortSignal } = {}) =>
  createContainer({ root: runtime.root, id, bundle: bundle.directory, stdio: [0, 0, 0], ...more })

const outcomes = async (calls: readonly Promise<unknown>[]) => {
  const settled = await Promise.allSettled(calls)
  return settled.map(({ status }) => status)
}

describe('one container', () => {
  it('is made by one of ten creates', async () => {
    bundle.command('true')
    const done = await outcomes(Array.from({ length: 10 }, () => create(ONE)))
    expect(done.filter((status) => status === 'fulfilled')).toHaveLength(1)
    expect(await containerState(runtime.root, ONE)).toMatchObject({ status: 'created' })
    await deleteContainer(runtime.root, ONE, false)
  })

  it('is started by one of five starts', async () => {
    bundle.command('sleep', '1000')
    await create(START)
    const done = await outcomes(
      Array.from({ length: 5 }, () => startContainer(runtime.root, START)),
    )
    expect(done.filter((status) => status === 'fulfilled')).toHaveLength(1)
    await deleteContainer(runtime.root, START, true)
  })

  it('is gone after start and five deletes with --force at once', async () => {
    bundle.command('sleep', '1000')
    await create(END)
    const start = startContainer(runtime.root, END).catch(() => undefined)
    const done = await outcomes(
      Array.from({ length: 5 }, () => deleteContainer(runtime.root, END, true)),
    )
    await start
    expect(done).toEqual(Array(5).fill('fulfilled'))
    expect(readdirSync(runtime.root)).toEqual([])
  })
})

describe('create', () => {
  it('ends at an abort, and leaves nothing', async () => {
    bundle.configure((config) =>
      withProcess(
        { ...config, hooks: { createContainer: [{ path: '/bin/sleep', args: ['sleep', '5'] }] } },
        { args: ['true'] },
      ),
    )
    const controller = new AbortController()
    const made = create(ABORT, { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 100)
    await expect(made).rejects.toThrow('enough')
    expect(readdirSync(runtime.root)).toEqual([])
  })
})

describe('what a killed create left', () => {
  it.each(['list', 'state', 'create'])('is removed by %s', async (verb) => {
    mkdirSync(join(runtime.root, HALF), { recursive: true, mode: 0o700 })
    writeFileSync(join(runtime.root, `${HALF}/config.json`), '{}')
    bundle.command('true')
    if (verb === 'list') expect(await listContainers(runtime.root)).toEqual([])
    if (verb === 'state')
      await expect(containerState(runtime.root, HALF)).rejects.toThrow('does not exist')
    if (verb === 'create') {
      await create(HALF)
      await deleteContainer(runtime.root, HALF, false)
    }
    expect(existsSync(join(runtime.root, HALF))).toBe(false)
  })

  it('is not taken for one in a root of other folders', async () => {
    const folders = ['empty', 'full', 'open']
    for (const name of folders)
      mkdirSync(join(runtime.root, name), { recursive: true, mode: 0o700 })
    writeFileSync(join(runtime.root, 'full/letter'), 'precious')
    writeFileSync(join(runtime.root, 'open/cgroup'), '/sys/fs/cgroup')
    chmodSync(join(runtime.root, 'open'), 0o777)
    expect(await listContainers(runtime.root)).toEqual([])
    for (const id of ['full', 'open']) {
      await expect(containerState(runtime.root, id)).rejects.toThrow(
        'not the folder of a container',
      )
      await expect(deleteContainer(runtime.root, id, true)).rejects.toThrow('not the folder')
      await expect(create(id)).rejects.toThrow()
    }
    expect(readdirSync(runtime.root)).toEqual(folders)
    expect(readdirSync(join(runtime.root, 'full'))).toEqual(['letter'])
    for (const name of folders) rmSync(join(runtime.root, name), { recursive: true })
  })

  it('is killed, when its program was let go before its record was published', async () => {
    const child = spawn('sleep', ['1000'])
    const ended = once(child, 'exit')
    const pid = child.pid ?? 0
    const record = {
      ociVersion: '1.2.0',
      id: 'loose',
      bundle: '/',
      rootfs: '/',
      created: '',
      pid,
      startTime: readProcStat(pid)?.startTime,
      owner: 0,
    }
    mkdirSync(join(runtime.root, 'loose'), { recursive: true, mode: 0o700 })
    writeFileSync(join(runtime.root, 'loose/state.json.tmp'), JSON.stringify(record))
    expect(await listContainers(runtime.root)).toEqual([])
    expect(await ended).toEqual([null, 'SIGKILL'])
    expect(existsSync(join(runtime.root, 'loose'))).toBe(false)
  })

  it.each(['', '{"pid": 1'])('is removed with the torn files %j', async (torn) => {
    mkdirSync(join(runtime.root, 'torn'), { recursive: true, mode: 0o700 })
    for (const name of ['state.json.tmp', 'cgroup', 'config.json'])
      writeFileSync(join(runtime.root, 'torn', name), name === 'cgroup' ? '' : torn)
    expect(await listContainers(runtime.root)).toEqual([])
    expect(existsSync(join(runtime.root, 'torn'))).toBe(false)
  })

  it.each([undefined, '{'])('and a lost config (%j) can be deleted with --force', async (text) => {
    bundle.command('true')
    await create(LOST)
    rmSync(join(runtime.root, `${LOST}/config.json`))
    if (text !== undefined) writeFileSync(join(runtime.root, `${LOST}/config.json`), text)
    await expect(deleteContainer(runtime.root, LOST, false)).rejects.toThrow(TsrunError)
    await deleteContainer(runtime.root, LOST, true)
    expect(existsSync(join(runtime.root, LOST))).toBe(false)
  })

  it('and a damaged record can be deleted with --force alone', async () => {
    mkdirSync(join(runtime.root, 'damaged'), { recursive: true, mode: 0o700 })
    writeFileSync(join(runtime.root, 'damaged/state.json'), '{')
    const warnings: unknown[] = []
    expect(await listContainers(runtime.root, (problem) => warnings.push(problem))).toEqual([])
    expect(warnings).toHaveLength(1)
    await expect(deleteContainer(runtime.root, 'damaged', false)).rejects.toThrow('damaged')
    await deleteContainer(runtime.root, 'damaged', true)
    expect(existsSync(join(runtime.root, 'damaged'))).toBe(false)
  })
})
