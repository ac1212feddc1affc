/** State that is not our own word: roots and image directories of other users, and disks that are full. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('hostile')

const STRANGER = 54_321
const VERBS: readonly (readonly string[])[] = [
  ['list'],
  ['state', ID],
  ['kill', ID],
  ['start', ID],
  ['exec', ID, 'true'],
  ['delete', ID],
  ['delete', '--force', ID],
  ['update', '--pids-limit', '9', ID],
  ['pause', ID],
  ['ps', ID],
  ['events', '--stats', ID],
  ['checkpoint', ID],
]

let bundle: Bundle
let runtime: Runtime

beforeEach(() => {
  bundle = makeBundle()
  bundle.command('sleep', '1000')
  runtime = makeRuntime()
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const create = (): void => {
  runtime.succeed(['create', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
}

describe.skipIf(missing('root'))('a state root that others can change', () => {
  it.each([
    ['of another user', () => chownSync(runtime.root, STRANGER, STRANGER)],
    ['that all may write in', () => chmodSync(runtime.root, 0o777)],
    [
      'of a group of users',
      () => {
        chownSync(runtime.root, 0, STRANGER)
        chmodSync(runtime.root, 0o770)
      },
    ],
  ])('%s is refused by every command, and nothing in it is touched', (_, spoil) => {
    create()
    spoil()
    const before = readdirSync(join(runtime.root, ID))
    try {
      for (const verb of [...VERBS, ['create', '--bundle', bundle.directory, 'd']]) {
        const { status, stdout, log } = runtime.run(verb)
        expect([verb, status === 0, stdout]).toEqual([verb, false, ''])
        expect(log.at(-1)).toMatch(/cannot keep containers in .*: (it belongs|others may).*hint: /)
      }
      expect(readdirSync(runtime.root)).toEqual([ID])
      expect(readdirSync(join(runtime.root, ID))).toEqual(before)
    } finally {
      chownSync(runtime.root, 0, 0)
      chmodSync(runtime.root, 0o700)
    }
    expect(runtime.state(ID).status).toBe('created')
  })

  it('is used when it is sticky, but for the folders that others made', async () => {
    create()
    chmodSync(runtime.root, 0o1777)
    expect(runtime.state(ID).status).toBe('created')
    // What a stranger can do there: a folder, or a link, with a record that names anybody's process.
    const evil = join(runtime.root, 'evil')
    mkdirSync(evil, 0o700)
    const record = JSON.parse(readFileSync(join(runtime.root, ID, 'state.json'), 'utf8'))
    writeFileSync(join(evil, 'state.json'), JSON.stringify({ ...record, id: 'evil' }))
    writeFileSync(join(evil, 'config.json'), readFileSync(join(runtime.root, ID, 'config.json')))
    chownSync(evil, STRANGER, STRANGER)
    symlinkSync(join(runtime.root, ID), join(runtime.root, 'link'))
    for (const id of ['evil', 'link']) {
      for (const verb of VERBS.filter((words) => words.includes(ID))) {
        const words = verb.map((word) => (word === ID ? id : word))
        const { status, log } = runtime.run(words)
        expect([words, status === 0]).toEqual([words, false])
        expect(log.at(-1)).toMatch(/is not the folder of a container/)
      }
    }
    expect(JSON.parse(runtime.succeed(['list', '--format', 'json']))).toHaveLength(1)
    expect(runtime.state(ID).status).toBe('created')
    expect(existsSync(join(evil, 'state.json'))).toBe(true)
    rmSync(join(runtime.root, 'link'))
    rmSync(evil, { recursive: true })
  })
})

describe.skipIf(missing('root'))(
  'directories of images for criu that others can change (CVE-2026-53489, CVE-2026-53492)',
  () => {
    it.each(['checkpoint', 'restore'])(
      'are refused by %s, and nothing is written there',
      (verb) => {
        create()
        runtime.succeed(['start', ID])
        const images = mkdtempSync(join(tmpdir(), 'tsrun-images-'))
        const target = join(bundle.directory, 'target')
        writeFileSync(target, 'precious')
        symlinkSync(target, join(images, 'descriptors.json'))
        try {
          for (const spoil of [
            () => chmodSync(images, 0o1777),
            () => {
              chmodSync(images, 0o700)
              chownSync(images, STRANGER, STRANGER)
            },
          ]) {
            spoil()
            const more = verb === 'restore' ? ['--bundle', bundle.directory, 'd'] : [ID]
            for (const flag of ['--image-path', '--work-path']) {
              if (flag === '--work-path' && verb === 'restore') continue
              const { status, log } = runtime.run([verb, flag, images, ...more], {
                cwd: bundle.directory,
              })
              expect(status).toBe(1)
              expect(log.at(-1)).toMatch(
                /cannot use .* for criu: (it belongs to user|others may write)/,
              )
            }
          }
          expect(readFileSync(target, 'utf8')).toBe('precious')
          expect(runtime.state(ID).status).toBe('running')
        } finally {
          rmSync(images, { recursive: true })
        }
      },
    )
  },
)

describe.skipIf(missing('root'))('a data root that others can change', () => {
  let engine: TestEngine
  beforeEach(() => {
    engine = new TestEngine()
  })
  afterEach(() => engine[Symbol.dispose]())

  it('is refused by every command of the engine', () => {
    mkdirSync(engine.dataRoot)
    for (const spoil of [
      () => chmodSync(engine.dataRoot, 0o1777),
      () => chownSync(engine.dataRoot, STRANGER, STRANGER),
    ]) {
      spoil()
      for (const words of [['ps'], ['images'], ['run', 'busybox', 'true'], ['rm', 'c']]) {
        const { status, stdout, stderr } = engine.run(words)
        expect([words, status === 0, stdout]).toEqual([words, false, ''])
        expect(stderr).toMatch(/^tsrun: cannot keep images in .*: (others may|it belongs).*hint: /)
      }
    }
    expect(readdirSync(engine.dataRoot)).toEqual([])
    chownSync(engine.dataRoot, 0, 0)
    chmodSync(engine.dataRoot, 0o700)
    expect(engine.succeed(['ps', '-q'])).toBe('')
  })

  it('CVE-2024-25621: shows nothing of images and containers to other users', async () => {
    await engine.loadBusybox()
    engine.succeed(['run', '-d', 'busybox', 'sleep', '1000'])
    chmodSync(engine.directory, 0o755)
    const paths = readdirSync(engine.directory, { recursive: true, encoding: 'utf8' })
    const files = paths.map((path) => join(engine.directory, path))
    expect(files.some((path) => path.endsWith('/index.json'))).toBe(true)
    const script = 'for f; do [ -r "$f" ] && [ ! -d "$f" ] && echo "$f"; done; :'
    const { stdout, status } = spawnSync('sh', ['-c', script, 'sh', ...files], {
      uid: STRANGER,
      gid: STRANGER,
      encoding: 'utf8',
    })
    expect([status, stdout]).toEqual([0, ''])
  })
})

describe.skipIf(missing('root', 'cgroup2'))('a state root on a full disk', () => {
  // Blocks for one file only, for two; inodes for nothing, for the folder, for a file.
  it.each(['size=4k', 'size=8k', 'nr_inodes=1', 'nr_inodes=2', 'nr_inodes=4', 'ro'])(
    'create() with %s names what it could not write, and leaves nothing',
    (options) => {
      mkdirSync(runtime.root)
      const before = `mount -t tmpfs -o ${options} none '${runtime.root}'`
      const after = `ls -A '${runtime.root}'`
      const result = runtime.run(['create', '--bundle', bundle.directory, ID], {
        mountNamespace: { before, after },
      })
      expect(result.status).toBe(1)
      expect(result.log.at(-1)).toMatch(
        new RegExp(`(cannot write|bind) \\W*${runtime.root}/${ID}.*: E(NOSPC|ROFS)`),
      )
      expect(result.stdout).toBe('')
    },
  )
})
