import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openContext } from '../../../../src/engine/build/context-folder.ts'
import { readDockerfile } from '../../../../src/engine/build/read-dockerfile.ts'
import { createTempDir } from '../../../support/temp-dir.ts'

const folder = createTempDir('tsrun-context-')
const at = (name: string) => join(folder.path, name)
afterAll(() => folder[Symbol.dispose]())

/** Puts what nobody can read as a text at the path. */
const HOSTILE: readonly [what: string, put: (path: string) => void, message: string][] = [
  ['a FIFO', (path) => execFileSync('mkfifo', [path]), 'it is no regular file'],
  ['an endless device', (path) => symlinkSync('/dev/zero', path), 'it is no regular file'],
  ['a folder', (path) => mkdirSync(path), 'it is no regular file'],
  [
    'a huge file',
    (path) => {
      writeFileSync(path, '')
      truncateSync(path, 2 ** 40)
    },
    'bytes',
  ],
]

describe('readRegularFile()', () => {
  it.each(HOSTILE)('refuses %s as Dockerfile and .dockerignore', async (what, put, message) => {
    const context = at(what)
    mkdirSync(context)
    put(join(context, 'Dockerfile'))
    await expect(readDockerfile({ context, file: undefined })).rejects.toThrow(
      new RegExp(`^cannot use the Dockerfile "${join(context, 'Dockerfile')}": .*${message}$`),
    )
    put(join(context, '.dockerignore'))
    expect(() => openContext(context, undefined)).toThrow(
      new RegExp(`^cannot use "${join(context, '.dockerignore')}": .*${message}$`),
    )
  })

  it('reads a file to its end', async () => {
    const context = at('good')
    mkdirSync(context)
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\n')
    writeFileSync(join(context, '.dockerignore'), '*.ö\n')
    const { text, name } = await readDockerfile({ context, file: undefined })
    expect([name, text]).toEqual(['Dockerfile', 'FROM scratch\n'])
    expect(openContext(context, undefined).ignore?.text).toBe('*.ö\n')
  })
})

describe('openContext()', () => {
  it('takes a link to a folder, and says what is wrong with others', async () => {
    mkdirSync(at('real'))
    symlinkSync('real', at('link'))
    symlinkSync('nowhere', at('dangling'))
    writeFileSync(at('file'), '')
    expect(openContext(at('link'), undefined).path).toBe(at('real'))
    for (const [name, reason] of [
      ['nowhere', 'it does not exist'],
      ['dangling', 'it does not exist'],
      ['file', 'it is no folder'],
      ['file/below', 'it does not exist'],
    ] as const) {
      const message = `cannot use the build context "${at(name)}": ${reason}`
      expect(() => openContext(at(name), undefined)).toThrow(message)
      await expect(readDockerfile({ context: at(name), file: undefined })).rejects.toThrow(message)
    }
  })
})
