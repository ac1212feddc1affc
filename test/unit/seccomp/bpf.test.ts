import { describe, expect, it } from 'vitest'
import { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET, BpfAssembler } from '../../../src/seccomp/bpf.ts'
import { loadFilter } from '../../support/bpf-interpreter.ts'

function dataWith(number: number): Uint32Array {
  const data = new Uint32Array(16)
  data[0] = number
  return data
}

describe('BpfAssembler', () => {
  it.each([
    [
      BPF_JEQ,
      7,
      [
        [7, 1],
        [8, 2],
        [0xffffffff, 2],
      ],
    ],
    [
      BPF_JGT,
      7,
      [
        [7, 2],
        [8, 1],
        [0xffffffff, 1],
      ],
    ],
    [
      BPF_JGE,
      7,
      [
        [6, 2],
        [7, 1],
        [0xffffffff, 1],
      ],
    ],
    [
      BPF_JSET,
      4,
      [
        [3, 2],
        [4, 1],
        [0xffffffff, 1],
      ],
    ],
  ] as const)('assembles opcode %i with %i', (opcode, operand, cases) => {
    const assembler = new BpfAssembler()
    const jump = assembler.jump(opcode, operand, assembler.ret(1), assembler.ret(2))
    const filter = loadFilter(assembler.finish(assembler.load(0, jump)))
    for (const [number, verdict] of cases) expect(filter(dataWith(number)).verdict).toBe(verdict)
  })

  it('writes struct sock_filter, little endian', () => {
    const assembler = new BpfAssembler()
    const jump = assembler.jump(BPF_JEQ, 0xc000003e, assembler.ret(1), assembler.ret(0x7fff0000))
    expect([...assembler.finish(assembler.load(4, jump))]).toEqual([
      ...[0x20, 0, 0, 0, 4, 0, 0, 0],
      ...[0x15, 0, 1, 0, 0x3e, 0, 0, 0xc0],
      ...[0x06, 0, 0, 0, 0, 0, 0xff, 0x7f],
      ...[0x06, 0, 0, 0, 1, 0, 0, 0],
    ])
  })

  it('needs no test that does not matter', () => {
    const assembler = new BpfAssembler()
    const entry = assembler.jump(BPF_JEQ, 1, assembler.ret(5), assembler.ret(5))
    expect(assembler.finish(entry).length).toBe(8)
  })

  it.each([253, 254, 255, 256, 257, 1000])('jumps over %i instructions', (distance) => {
    const assembler = new BpfAssembler()
    const far = assembler.load(0, assembler.jump(BPF_JEQ, 9, assembler.ret(1), assembler.ret(2)))
    let next = assembler.ret(3)
    for (let i = 0; i < distance; i++) next = assembler.and(0xffffffff, next)
    const filter = loadFilter(
      assembler.finish(assembler.load(0, assembler.jump(BPF_JGE, 5, far, next))),
    )
    expect([9, 5, 4].map((number) => filter(dataWith(number)).verdict)).toEqual([1, 2, 3])
  })
})
