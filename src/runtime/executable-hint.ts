/** Why the kernel would not run a program that is there (execve(2)), from its first bytes and the mounts of the config. */
import type { Mount } from '../oci/runtime-config.ts'

/** How much of a file {@link executableHint} looks at: ELF headers with the name of the loader fit. */
export const HEAD_SIZE = 4096

export interface ExecutableFacts {
  /** As execve(2) got it. */
  readonly path: string
  /** The first bytes, undefined when the file cannot be seen from outside. */
  readonly head: Buffer | undefined
  readonly mounts: readonly Mount[]
  /** `x86_64` or `aarch64`. */
  readonly architecture: string
}

/** e_machine of elf.h. */
const MACHINES: Readonly<Record<number, string>> = {
  3: 'i386',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv64',
  258: 'loongarch64',
}

/** A clause without a final period, undefined for an errno that says enough. */
export function executableHint(code: string, facts: ExecutableFacts): string | undefined {
  if (code === 'ENOENT') return interpreterHint(facts)
  if (code === 'ENOEXEC') return formatHint(facts)
  if (code === 'EACCES') return permissionHint(facts)
  return undefined
}

function interpreterHint({ path, head }: ExecutableFacts): string {
  const line = shebangOf(head)
  if (line?.endsWith('\r') === true)
    return `${path} has Windows line endings, so that its #! line names "${line.slice(2).trim()}\\r": convert it with dos2unix`
  const script = line?.slice(2).trim().split(/[ \t]/)[0]
  if (script !== undefined && script !== '')
    return `${path} is there, but the interpreter that its #! line names, ${script}, is not in the container`
  const loader = loaderOf(head)
  if (loader !== undefined)
    return `${path} is there, but its loader ${loader} is not in the container: it is built for another C library`
  return `${path} is there, but the interpreter it names (ELF loader or #! line) is not in the container`
}

function formatHint({ path, head, architecture }: ExecutableFacts): string {
  if (head?.length === 0) return `${path} is an empty file`
  if (!isElf(head)) {
    if (head === undefined)
      return `${path} is built for another architecture, or is a script without a #! line`
    return `${path} is a script without a #! line, or no program at all: begin it with #!/bin/sh`
  }
  const machine = MACHINES[head.readUInt16LE(18)] ?? `machine ${head.readUInt16LE(18)}`
  if (machine === architecture)
    return `${path} is damaged, or needs a feature that this kernel is built without`
  return `${path} is built for ${machine}, and this machine is ${architecture}: take an image for it, or register an emulator with binfmt_misc`
}

function permissionHint({ path, mounts }: ExecutableFacts): string {
  const index = mountOf(path, mounts)
  const mount = index === undefined ? undefined : mounts[index]
  const last = mount?.options?.findLast((option) => /^r?(no)?exec$/.test(option)) ?? ''
  if (mount !== undefined && last.endsWith('noexec'))
    return `mounts[${index}] (${mount.destination}) has the option ${last}: leave it out, or run ${path} from elsewhere`
  return `the user of the process may not execute ${path}: see its mode and owner, those of the folders above it, and noexec of its mount`
}

/** The mount that `path` is on: the last of those that reach deepest. */
function mountOf(path: string, mounts: readonly Mount[]): number | undefined {
  let found: number | undefined
  let depth = 0
  mounts.forEach(({ destination }, i) => {
    const folder = destination.endsWith('/') ? destination : `${destination}/`
    if (!path.startsWith(folder) || folder.length < depth) return
    found = i
    depth = folder.length
  })
  return found
}

function shebangOf(head: Buffer | undefined): string | undefined {
  if (head?.subarray(0, 2).toString() !== '#!') return undefined
  return head.toString('latin1').split('\n')[0]
}

function isElf(head: Buffer | undefined): head is Buffer {
  return head !== undefined && head.length >= 64 && head.readUInt32BE(0) === 0x7f454c46
}

/** The path in PT_INTERP of a 64-bit little-endian ELF file, where all of that is in its head. */
function loaderOf(head: Buffer | undefined): string | undefined {
  const PT_INTERP = 3
  if (!isElf(head) || head[4] !== 2 || head[5] !== 1) return undefined
  const table = Number(head.readBigUInt64LE(32))
  const size = head.readUInt16LE(54)
  for (let i = 0; i < head.readUInt16LE(56); i++) {
    const at = table + i * size
    if (at + 56 > head.length) return undefined
    if (head.readUInt32LE(at) !== PT_INTERP) continue
    const offset = Number(head.readBigUInt64LE(at + 8))
    const length = Number(head.readBigUInt64LE(at + 32))
    if (offset + length > head.length) return undefined
    return head.toString('latin1', offset, offset + length).replace(/\0.*$/s, '')
  }
  return undefined
}
