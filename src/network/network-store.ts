/**
 * Networks as folders, with who is in them:
 *
 *   <data root>/networks/.lock             flock(2): who makes and removes networks, and who gives ports
 *   <data root>/networks/<name>/           network.json, leases.json, names; its lock is flock(2) on the folder
 *   <data root>/networks/.resolvers/<id>   settings of a container's resolver, which reads `names`, too
 *   <data root>/networks/.proxies/<id>     the process that leads its ports from ::1
 *
 * Files are written whole. A lease is written before anything is made for it and taken away after all of that is
 * gone, so that whoever comes after a kill knows what there may be.
 */
import { constants, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { isStillAt, lockFile, takeLock } from '../native/file-lock.ts'
import { type OwnedFd, openIfThere } from '../native/owned-fd.ts'
import { writeFileAtomic } from '../util/atomic-write.ts'
import { readJsonFile, writeJsonFile } from '../util/json-file.ts'
import { ContainerFiles } from './container-files.ts'
import { type LeaseBook, type NetworkRecord, NO_LEASES } from './network-record.ts'
import { namesText } from './resolver-files.ts'

const REMOVED = '~'
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/

export class NetworkStore {
  readonly folder: string

  /** Settings of resolvers. */
  readonly resolvers: ContainerFiles
  /** The processes that lead ports from ::1. */
  readonly proxies: ContainerFiles

  constructor(dataRoot: string) {
    this.folder = join(dataRoot, 'networks')
    this.resolvers = new ContainerFiles(join(this.folder, '.resolvers'))
    this.proxies = new ContainerFiles(join(this.folder, '.proxies'))
  }

  /** Waits for the lock under which networks are made and removed. */
  async lock(): Promise<OwnedFd> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    const lock = await lockFile(join(this.folder, '.lock'), 'exclusive')
    for (const name of readdirSync(this.folder))
      if (name.endsWith(REMOVED)) rmSync(join(this.folder, name), { recursive: true, force: true })
    return lock
  }

  /** Waits for the lock of one network's leases; undefined when it is gone, also when another has its name now. */
  async lockLeases({ name, id }: Pick<NetworkRecord, 'name' | 'id'>): Promise<OwnedFd | undefined> {
    const path = this.#directory(name)
    for (;;) {
      const fd = openIfThere(path, constants.O_RDONLY | constants.O_DIRECTORY)
      if (fd === undefined) return undefined
      let isThere: boolean
      try {
        await takeLock(fd.fd, 'exclusive')
        isThere = this.find(name)?.id === id
        // While we waited the folder may have been removed, and another of this name be made.
        if (isThere && isStillAt(fd.fd, path)) return fd
      } catch (error) {
        fd.close()
        throw error
      }
      fd.close()
      if (!isThere) return undefined
    }
  }

  names(): readonly string[] {
    try {
      return readdirSync(this.folder).filter((name) => NAME.test(name))
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  all(): readonly NetworkRecord[] {
    return this.names().flatMap((name) => this.find(name) ?? [])
  }

  /** The network of this name. */
  find(name: string): NetworkRecord | undefined {
    if (!NAME.test(name)) return undefined
    const value = readJsonFile(join(this.#directory(name), 'network.json'))
    return isRecord(value) ? value : undefined
  }

  /** By name, id, or a beginning of the id that is only its. Throws `not-found`. */
  resolve(reference: string): NetworkRecord {
    const named = this.find(reference)
    if (named !== undefined) return named
    const byId = /^[0-9a-f]{1,64}$/.test(reference)
      ? this.all().filter(({ id }) => id.startsWith(reference))
      : []
    const [only, another] = byId
    if (only !== undefined && another === undefined) return only
    throw new TsrunError(
      'not-found',
      another === undefined
        ? `cannot find the network "${reference}": there is none of this name or id`
        : `cannot find the network "${reference}": several have an id that begins like this`,
      { hint: 'tsrun network ls lists them' },
    )
  }

  /** Stores a new network. The caller holds {@link lock} and has looked that the name is free. */
  add(record: NetworkRecord): void {
    mkdirSync(this.#directory(record.name), { mode: 0o700, recursive: true })
    writeJsonFile(join(this.#directory(record.name), 'network.json'), record)
  }

  remove(name: string): void {
    const path = this.#directory(name)
    // A name that is no network's: what is half removed is nobody's.
    renameSync(path, `${path}${REMOVED}`)
    rmSync(`${path}${REMOVED}`, { recursive: true, force: true })
  }

  leases(name: string): LeaseBook {
    const value = readJsonFile(join(this.#directory(name), 'leases.json'))
    return isBook(value) ? value : NO_LEASES
  }

  /** The caller holds {@link lockLeases}. No power cut matters: after it no container runs. */
  writeLeases(name: string, book: LeaseBook): void {
    // Without the name first: a lease that is left over is found and taken back, a name is not.
    writeFileAtomic(join(this.#directory(name), 'names'), namesText(name, book.leases), {
      durable: false,
    })
    writeJsonFile(join(this.#directory(name), 'leases.json'), book, { durable: false })
  }

  #directory(name: string): string {
    return join(this.folder, name)
  }
}

/** Throws `invalid-argument` unless a network may be called so. */
export function checkNetworkName(name: string): void {
  if (NAME.test(name)) return
  throw new TsrunError(
    'invalid-argument',
    `cannot use the network name "${name}": it must be letters, digits, "_", "." and "-", beginning with a letter or digit`,
  )
}

function isRecord(value: unknown): value is NetworkRecord {
  return typeof value === 'object' && value !== null && Reflect.get(value, 'version') === 1
}

function isBook(value: unknown): value is LeaseBook {
  return isRecord(value) && Array.isArray(Reflect.get(value, 'leases'))
}
