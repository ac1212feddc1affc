/** Two processes on one container, 1,000 rounds of each pair: one winner, no crash, a state that is right, nothing left. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import { bundleProgram, type Program } from '../support/bundle-program.ts'
import type { Order, Outcome } from '../support/race-worker.ts'
import { missing } from '../support/requires.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ROUNDS = Number(process.env.TSRUN_RACES ?? 1000)
const ID = uniqueId('race')
const TIMEOUT = { timeout: 300_000 }

/** A process that does one thing after the other. */
interface Worker {
  order(verb: Order['verb'], id?: string): Promise<Outcome>
  end(): Promise<unknown>
}

let bundle: Bundle
let program: Program
let root: string
let first: Worker
let second: Worker

beforeAll(async () => {
  bundle = makeBundle()
  root = join(bundle.directory, 'state')
  mkdirSync(root)
  program = await bundleProgram('race-worker')
  first = startWorker()
  second = startWorker()
})
afterAll(async () => {
  // What a failed round left.
  await first.order('delete --force')
  await Promise.all([first.end(), second.end()])
  program[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

function startWorker(): Worker {
  const child: ChildProcess = spawn(process.execPath, [program.path, root, bundle.directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('a worker without streams')
  const answers = createInterface({ input: stdout })[Symbol.asyncIterator]()
  return {
    async order(verb, id = ID) {
      stdin.write(`${JSON.stringify({ verb, id })}\n`)
      const { value, done } = await answers.next()
      if (done === true) throw new Error(`the worker died of ${verb}`)
      return JSON.parse(value)
    },
    async end() {
      stdin.end()
      return await once(child, 'exit')
    },
  }
}

/** Runs `round` again and again, and looks that nothing gathers. */
async function rounds(round: () => Promise<void>): Promise<void> {
  await first.order('delete --force')
  await round()
  const before = await settled()
  for (let i = 1; i < ROUNDS; i++) await round()
  await expect.poll(left, { timeout: 60_000 }).toEqual(before)
}

/** {@link left} without what is closed in a moment: as it is twice in a row. */
async function settled() {
  for (let last = await left(); ; ) {
    await sleep(50)
    const now = await left()
    if (JSON.stringify(now) === JSON.stringify(last)) return now
    last = now
  }
}

async function left() {
  const cgroup = join(detectCgroups()?.mountPoint ?? '/nonexistent', 'tsrun', ID)
  return {
    containers: readdirSync(root),
    cgroup: existsSync(cgroup),
    descriptors: [await first.order('descriptors'), await second.order('descriptors')],
  }
}

const isFine = (outcome: Outcome): boolean => outcome.kind === undefined

async function untilStopped(): Promise<void> {
  while ((await first.order('state')).value !== 'stopped') await sleep(1)
}

describe.skipIf(missing('root'))(`${ROUNDS} races`, () => {
  it('of create and create have one winner', TIMEOUT, async () => {
    bundle.command('true')
    await rounds(async () => {
      const outcomes = await Promise.all([first.order('create'), second.order('create')])
      const losers = outcomes.filter((outcome) => !isFine(outcome))
      expect(losers).toEqual([{ kind: 'already-exists', message: expect.stringContaining(ID) }])
      expect(await first.order('state')).toEqual({ value: 'created' })
      expect(await second.order('delete --force')).toEqual({})
    })
  })

  it('of start and delete --force end without the container', TIMEOUT, async () => {
    bundle.command('sleep', '1000')
    await rounds(async () => {
      expect(await first.order('create')).toEqual({})
      const [started, deleted] = await Promise.all([
        first.order('start'),
        second.order('delete --force'),
      ])
      expect(deleted).toEqual({})
      if (!isFine(started)) expect(started.kind).toMatch(/^(not-found|failed-precondition)$/)
      expect(await first.order('state')).toMatchObject({ kind: 'not-found' })
    })
  })

  it('of kill and the program’s own end end with a stopped container', TIMEOUT, async () => {
    bundle.command('true')
    await rounds(async () => {
      expect(await first.order('create')).toEqual({})
      const [started, killed] = await Promise.all([first.order('start'), second.order('kill')])
      // Killed at the gate, or started first; the kill finds it there, or ended.
      if (!isFine(started)) expect(started.kind).toBe('failed-precondition')
      if (!isFine(killed)) expect(killed.message).toBe('container not running')
      expect(isFine(started) || isFine(killed)).toBe(true)
      await untilStopped()
      expect(await second.order('delete')).toEqual({})
    })
  })

  it('of state and the whole life see each step in its order', TIMEOUT, async () => {
    bundle.command('true')
    const order = ['creating', 'created', 'running', 'stopped']
    await rounds(async () => {
      let over = false
      const life = async (): Promise<void> => {
        expect(await first.order('create')).toEqual({})
        expect(await first.order('start')).toEqual({})
        await untilStopped()
        expect(await first.order('delete')).toEqual({})
      }
      const living = life().finally(() => {
        over = true
      })
      const seen: number[] = []
      while (!over) {
        const { value, kind } = await second.order('state')
        // Not there yet or no more, or half made.
        if (value === undefined) expect(kind).toMatch(/^(not-found|failed-precondition)$/)
        else seen.push(order.indexOf(value))
      }
      await living
      expect(seen).toEqual([...seen].sort((a, z) => a - z))
      expect(seen).not.toContain(-1)
    })
  })
})
