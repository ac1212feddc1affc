/** Where the test machine finds its inputs and keeps what it makes. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** This folder. */
export const here = dirname(fileURLToPath(import.meta.url))

/** The working tree. */
export const tree = dirname(dirname(here))

/** Images and kernels, each named by the hash of what it was made from. */
export const cache = join(tree, 'rootfs-cache/cache/vm')

/** A short hash of words and of files or folders of this folder. */
export function hashOf(words, files) {
  const hash = createHash('sha256').update(JSON.stringify(words))
  for (const path of files.flatMap((file) => filesBelow(join(here, file))))
    hash.update(`\0${relative(here, path)}\0${statSync(path).mode}\0`).update(readFileSync(path))
  return hash.digest('hex').slice(0, 16)
}

/** The entries of a list of this folder: the first word of each line that is no comment. */
export function readList(name) {
  const lines = readFileSync(join(here, name), 'utf8').split('\n')
  return lines.filter((line) => /^[^#\s]/.test(line)).map((line) => line.split(/\s/)[0])
}

function filesBelow(path) {
  if (statSync(path).isFile()) return [path]
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesBelow(join(path, name)))
}
