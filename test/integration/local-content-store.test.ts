/** The content store on a local file system, by flock(2) of the kernel. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ImageNames } from '../../src/content/image-names.ts'
import { LocalContentStore } from '../../src/content/local-content-store.ts'
import { lockFile, tryLockFile } from '../../src/native/file-lock.ts'
import { describeContentStore } from '../contracts/content-store-contract.ts'
import { digestOf } from '../support/make-image.ts'
import { createTempDir } from '../support/temp-dir.ts'

const LOCKS = { lock: lockFile, tryLock: tryLockFile }
const EXPECTED =
  /^(blobs|ingest|oci-layout|index\.json|\.lock|\.index-lock|ingest\/sha(256|512)-[0-9a-f]+|blobs\/.*)$/

describeContentStore('LocalContentStore', () => {
  const folder = createTempDir('tsrun-content-')
  const root = join(folder.path, 'images')
  return {
    store: new LocalContentStore(root, LOCKS),
    reopen: () => new LocalContentStore(root, LOCKS),
    damage(digest) {
      const path = join(root, 'blobs', digest.replace(':', '/'))
      const bytes = readFileSync(path)
      bytes[0] = (bytes[0] ?? 0) ^ 1
      writeFileSync(path, bytes)
    },
    abandon() {
      writeFileSync(join(root, 'ingest/tmp-0123456789abcdef'), 'a stream without an end')
      for (const name of ['index.json', 'oci-layout'])
        writeFileSync(join(root, `.${name}.0123456789ab.tmp`), '{"schemaVersion":2,')
    },
    strays: () =>
      readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
        (name) => !EXPECTED.test(name),
      ),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
})

test('LocalContentStore spares the temporaries of whoever writes the index', async () => {
  using folder = createTempDir('tsrun-content-')
  const store = new LocalContentStore(folder.path, LOCKS)
  await store.write(Buffer.from('x'))
  const temporary = join(folder.path, '.index.json.0123456789ab.tmp')
  writeFileSync(temporary, '{')
  const writer = await lockFile(join(folder.path, '.index-lock'), 'exclusive')
  store.removeAbandoned()
  expect(readdirSync(folder.path)).toContain('.index.json.0123456789ab.tmp')
  writer.close()
  store.removeAbandoned()
  expect(readdirSync(folder.path)).not.toContain('.index.json.0123456789ab.tmp')
})

test('ImageNames keeps the changes of several writers', async () => {
  using folder = createTempDir('tsrun-content-')
  const store = new LocalContentStore(folder.path, LOCKS)
  const bytes = Buffer.from('{}')
  await store.write(bytes)
  const target = { mediaType: 'text/plain', digest: digestOf(bytes), size: bytes.length }
  const names = Array.from({ length: 8 }, (_, i) => `docker.io/library/n${i}:latest`)
  await Promise.all(names.map((name) => new ImageNames(folder.path, LOCKS).set(name, target)))
  expect(
    new ImageNames(folder.path, LOCKS)
      .list()
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(names)
})
