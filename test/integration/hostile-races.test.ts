/** An image that changes under the runtime's hands, and hooks that look at what they were given. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createContainer } from '../../src/runtime/create.ts'
import { deleteContainer } from '../../src/runtime/delete.ts'
import { missing } from '../support/requires.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ROUNDS = 300
const MOST_MS = 8_000

// Exchanges a folder and a link to the host as fast as it can, and removes what create made in between.
const SWAPPER = `
const { renameSync, rmdirSync } = require('node:fs')
const [folder, link, spare] = process.argv.slice(1)
const attempt = (step) => { try { step() } catch {} }
for (;;) {
  attempt(() => renameSync(folder, spare))
  attempt(() => renameSync(link, folder))
  attempt(() => renameSync(folder, link))
  for (const name of ['/bound', '/memory', '']) attempt(() => rmdirSync(folder + name))
  attempt(() => renameSync(spare, folder))
}`

let bundle: Bundle

beforeEach(() => {
  bundle = makeBundle()
})
afterEach(() => bundle[Symbol.dispose]())

describe.skipIf(missing('root'))(
  'a mount destination that is swapped for a link to the host',
  () => {
    it(`CVE-2021-30465: never leads a mount or a file out, in up to ${ROUNDS} rounds`, async () => {
      const outside = join(bundle.directory, 'outside')
      const source = join(bundle.directory, 'source')
      const root = join(bundle.directory, 'state')
      const place = (name: string): string => join(bundle.rootfs, name)
      for (const path of [outside, source, root, place('swapped')]) mkdirSync(path)
      symlinkSync(outside, place('link'))
      bundle.configure((config) => ({
        ...withProcess(config, { args: ['true'] }),
        root: { path: 'rootfs', readonly: false },
        mounts: [
          ...(config.mounts ?? []),
          { destination: '/swapped/bound', type: 'bind', source, options: ['bind'] },
          { destination: '/swapped/memory', type: 'tmpfs', source: 'tmpfs', options: ['nosuid'] },
        ],
      }))
      const swapper = spawn(process.execPath, [
        '-e',
        SWAPPER,
        ...['swapped', 'link', 'spare'].map(place),
      ])
      const ended = once(swapper, 'exit')
      const outcomes = { made: 0, refused: 0 }
      try {
        const begin = Date.now()
        for (let i = 0; i < ROUNDS && Date.now() - begin < MOST_MS; i++) {
          const id = uniqueId(`swap-${i}`)
          const made = createContainer({
            root,
            id,
            bundle: bundle.directory,
            stdio: [0, 1, 2],
            supervise: true,
            startAtOnce: true,
          })
          try {
            await (await made).exited
            outcomes.made++
            await deleteContainer(root, id, true)
          } catch {
            // There was nothing, or no folder, at that moment.
            outcomes.refused++
          }
          expect(readdirSync(outside)).toEqual([])
        }
      } finally {
        swapper.kill('SIGKILL')
        await ended
      }
      expect(outcomes.made).toBeGreaterThan(0)
      expect(outcomes.refused).toBeGreaterThan(0)
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(bundle.directory)
      expect(readdirSync(root)).toEqual([])
    })
  },
)

// Not asked of the peers: runc 1.1.5 hands its caller's descriptors on to some hooks.
describe.skipIf(missing('root'))('hooks', () => {
  let runtime: Runtime

  beforeEach(() => {
    runtime = makeRuntime()
  })
  afterEach(() => runtime[Symbol.dispose]())

  it('are given the standard streams and nothing else', () => {
    const report = (kind: string): string => join(bundle.directory, kind)
    const script = join(bundle.directory, 'hook')
    writeFileSync(script, '#!/bin/sh\nls -l /proc/$$/fd > "$1"\n', { mode: 0o755 })
    const hook = (kind: string) => [{ path: script, args: ['hook', report(kind)] }]
    bundle.configure((config) => ({
      ...withProcess(config, { args: ['true'] }),
      hooks: {
        createRuntime: hook('createRuntime'),
        poststart: hook('poststart'),
        poststop: hook('poststop'),
      },
    }))
    const id = uniqueId('hooks')
    runtime.succeed(['create', '--bundle', bundle.directory, id], { stdio: 'ignore' })
    runtime.succeed(['start', id])
    runtime.succeed(['delete', '--force', id])
    for (const kind of ['createRuntime', 'poststart', 'poststop']) {
      expect(existsSync(report(kind)), kind).toBe(true)
      const targets = readFileSync(report(kind), 'utf8')
        .split('\n')
        .flatMap((line) => / (\d+) -> (.*)$/.exec(line)?.slice(1, 3).join(' ') ?? [])
        // Of the shell itself: its script at 10, the output it put aside at 11.
        .filter((entry) => !/^([012]|10|11) /.test(entry))
      expect(targets, kind).toEqual([])
    }
  })
})
