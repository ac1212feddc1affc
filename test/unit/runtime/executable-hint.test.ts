/** What a program's first bytes and its mount say about a refused execve(2). */
import { describe, expect, it } from 'vitest'
import { type ExecutableFacts, executableHint } from '../../../src/runtime/executable-hint.ts'

function hint(
  code: string,
  head: Buffer | string | undefined,
  facts: Partial<ExecutableFacts> = {},
) {
  const bytes = typeof head === 'string' ? Buffer.from(head) : head
  const given = { path: '/bin/x', head: bytes, mounts: [], architecture: 'x86_64', ...facts }
  return executableHint(code, given)
}

/** A 64-bit ELF header for `machine`, with one program header that names `loader`. */
function elf(machine: number, loader = ''): Buffer {
  const file = Buffer.alloc(256)
  file.writeUInt32BE(0x7f454c46, 0)
  file[4] = 2
  file[5] = 1
  file.writeUInt16LE(machine, 18)
  file.writeBigUInt64LE(64n, 32)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(loader === '' ? 0 : 1, 56)
  file.writeUInt32LE(3, 64)
  file.writeBigUInt64LE(128n, 72)
  file.writeBigUInt64LE(BigInt(loader.length + 1), 96)
  file.write(loader, 128)
  return file
}

describe('executableHint()', () => {
  it.each([
    ['ENOENT', '#!/bin/bash -e\necho', 'its #! line names, /bin/bash, is not in the container'],
    [
      'ENOENT',
      '#!/bin/sh\r\necho',
      'has Windows line endings, so that its #! line names "/bin/sh\\r"',
    ],
    [
      'ENOENT',
      elf(62, '/lib/ld-musl-x86_64.so.1'),
      'its loader /lib/ld-musl-x86_64.so.1 is not in',
    ],
    ['ENOENT', undefined, 'the interpreter it names (ELF loader or #! line)'],
    ['ENOEXEC', 'echo hi', 'is a script without a #! line'],
    ['ENOEXEC', '', 'is an empty file'],
    ['ENOEXEC', elf(183), 'is built for aarch64, and this machine is x86_64'],
    ['ENOEXEC', elf(9999), 'is built for machine 9999'],
    ['ENOEXEC', elf(62), 'is damaged'],
    ['ENOEXEC', undefined, 'another architecture'],
    ['EACCES', undefined, 'may not execute /bin/x'],
  ])('%s of %j', (code, head, text) => {
    expect(hint(code, head)).toContain(text)
  })

  it('names the mount that is noexec', () => {
    const mounts = [
      { destination: '/', options: ['noexec'] },
      { destination: '/data', options: ['noexec', 'nosuid'] },
      { destination: '/data/bin', options: ['noexec', 'exec'] },
    ]
    const on = (path: string) => hint('EACCES', undefined, { path, mounts })
    expect(on('/data/x')).toContain('mounts[1] (/data) has the option noexec')
    expect(on('/database')).toContain('mounts[0] (/)')
    expect(on('/data/bin/x')).toContain('may not execute /data/bin/x')
  })

  it('reads no further than the head, whatever the header says', () => {
    for (let offset = 0; offset < 100; offset++) {
      const hostile = elf(62, '/lib/ld.so')
      hostile.fill(0xff, offset, offset + 8)
      expect(hint('ENOENT', hostile)).toContain('/bin/x is there')
      expect(hint('ENOEXEC', hostile.subarray(0, offset))).toContain('/bin/x is')
    }
  })
})
