/** Makes a FIFO or a device node in an open folder (mknodat(2)). */
import { S_IFBLK, S_IFCHR, S_IFIFO } from '../linux/open-flags.ts'
import type { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch } from './run-batch.ts'

export interface NodeSpec {
  readonly type: 'fifo' | 'character-device' | 'block-device'
  readonly deviceMajor: number
  readonly deviceMinor: number
}

const TYPES = { fifo: S_IFIFO, 'character-device': S_IFCHR, 'block-device': S_IFBLK } as const

/** `name` is one component, a byte string; the node belongs to root and nobody may use it yet. */
export function makeNode(folder: OwnedFd, name: string, spec: NodeSpec): void {
  const batch = newBatch()
  const device = spec.type === 'fifo' ? 0 : deviceNumber(spec.deviceMajor, spec.deviceMinor)
  const place = batch.bytes(Buffer.from(`${name}\0`, 'latin1'), 1)
  batch.run('mknodat', [folder.fd, place, TYPES[spec.type] | 0o600, device])
  runBatch(batch)
}

/** Linux' dev_t as mknod(2) takes it: 12 bits major, 20 bits minor, interleaved. */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}
