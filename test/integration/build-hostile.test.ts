/** ADD of damaged tars and COPY of a context that changes meanwhile: one sentence or a copy, and nothing from or to elsewhere. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { describeError, errnoCodeOf, TsrunError } from '../../src/errors.ts'
import { CopyFolders, make } from '../support/copy-folders.ts'
import { mutateBytes } from '../support/mutate-bytes.ts'
import { ownDescriptors } from '../support/own-descriptors.ts'
import { seededRandom } from '../support/random-profiles.ts'
import { missing } from '../support/requires.ts'
import { buildTar, dir, file, hardLink, symlink } from '../support/tar-builder.ts'

const TARS = 200
const COPIES = 30

const folder = new CopyFolders()
beforeEach(() => folder.renew())
afterAll(() => folder[Symbol.dispose]())

const tar = buildTar([
  dir('./a'),
  file('a/f', 'content'),
  symlink('up', '../../../../outside'),
  file('up/evil', 'x'),
  symlink('abs', '/usr'),
  file('abs/g', 'g'),
  hardLink('a/h', 'a/f'),
  { name: 'dev', type: '3', device: [1, 3] },
  { name: 'pipe', type: '6' },
  file('n', 'long', { pax: { path: `${'n/'.repeat(100)}x`, 'SCHILY.xattr.user.a': 'b' } }),
  file('a', 'a file now'),
])

describe.skipIf(missing('root'))('a build', () => {
  test(`unpacks ${TARS} damaged tars below the root or refuses them`, async () => {
    make(folder.path, { outside: { kept: 'kept' } })
    const open = ownDescriptors()
    let refused = 0
    for (let seed = 0; seed < TARS; seed++) {
      make(folder.root, { usr: { lib: {} }, lib: '-> usr/lib', etc: '-> ../../../outside' })
      writeFileSync(join(folder.context, 'a.tar'), mutateBytes(tar, seededRandom(seed)))
      try {
        await folder.copy('a.tar /', { kind: 'add' })
      } catch (error) {
        refused++
        const isKnown = error instanceof TsrunError || errnoCodeOf(error) !== undefined
        if (!isKnown) throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
        expect(describeError(error)).not.toContain('\n')
      } finally {
        rmSync(folder.root, { recursive: true })
        mkdirSync(folder.root)
      }
      if (readdirSync(join(folder.path, 'outside')).join() !== 'kept')
        throw new Error(`seed ${seed}: something outside has changed`)
    }
    expect(refused).toBeGreaterThan(TARS / 10)
    expect(ownDescriptors()).toEqual(open)
  })

  test('copies nothing from outside a context whose folders become links and back', async () => {
    make(folder.path, { secrets: { f: 'secret', deep: { f: 'secret' } } })
    make(folder.context, { d: { f: 'mine', deep: { f: 'mine' } } })
    symlinkSync(join(folder.path, 'secrets'), join(folder.context, 'link'))
    const script = `
      const { renameSync: move, writeFileSync: write, truncateSync } = require('node:fs')
      process.chdir(process.argv[1])
      for (let i = 0; ; i++) {
        move('d', 'aside'); move('link', 'd'); move('d', 'link'); move('aside', 'd')
        write('grows', 'mine'.repeat(i % 5000)); truncateSync('grows', i % 7)
      }`
    const racer = spawn(process.execPath, ['-e', script, folder.context], { stdio: 'ignore' })
    let copied = 0
    try {
      for (let i = 0; i < COPIES; i++) {
        for (const words of ['. /', 'd/deep /deep/', '*/f /f/', 'grows /'])
          await folder.copy(words).then(
            () => copied++,
            (error: unknown) => expect(describeError(error)).toMatch(/^cannot /),
          )
      }
    } finally {
      racer.kill('SIGKILL')
    }
    expect(copied).toBeGreaterThan(0)
    // grep -r reads files and follows no link: what was copied as a link leads where it says.
    expect(spawnSync('grep', ['-rl', 'secret', folder.root]).stdout.toString()).toBe('')
    expect(spawnSync('grep', ['-rl', 'mine', folder.root]).stdout.toString()).not.toBe('')
  })
})
