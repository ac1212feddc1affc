/** Runs a seccomp filter as the kernel would (net/core/filter.c), one call at a time. */

export interface SeccompCall {
  readonly number: number
  /** AUDIT_ARCH_*. */
  readonly architecture: number
  readonly args: readonly bigint[]
}

export interface FilterRun {
  /** SECCOMP_RET_* with its data. */
  readonly verdict: number
  /** How many instructions ran. */
  readonly executed: number
}

const SECCOMP_DATA_WORDS = 16

/** The filter in `program` (struct sock_filter[]) as a function of struct seccomp_data. */
export function loadFilter(program: Uint8Array): (data: Uint32Array) => FilterRun {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const count = program.byteLength / 8
  if (count < 1 || count > 4096 || !Number.isInteger(count))
    throw new Error(`bad program length ${program.byteLength}`)
  const code = Array.from({ length: count }, (_, i) => view.getUint16(i * 8, true))
  const jt = Array.from({ length: count }, (_, i) => view.getUint8(i * 8 + 2))
  const jf = Array.from({ length: count }, (_, i) => view.getUint8(i * 8 + 3))
  const k = Array.from({ length: count }, (_, i) => view.getUint32(i * 8 + 4, true))
  check(code, jt, jf, k)
  return (data) => run(code, jt, jf, k, data)
}

/** What seccomp_check_filter() and bpf_check_classic() of the kernel refuse. */
function check(
  code: readonly number[],
  jt: readonly number[],
  jf: readonly number[],
  k: readonly number[],
): void {
  const last = code.length - 1
  code.forEach((opcode, i) => {
    const operand = k[i] ?? 0
    const farthest =
      opcode === 0x05 ? operand : isJump(opcode) ? Math.max(jt[i] ?? 0, jf[i] ?? 0) : 0
    if (i + 1 + farthest > last && opcode !== 0x06) throw new Error(`${i}: leaves the program`)
    if (opcode === 0x20 && (operand % 4 !== 0 || operand >= SECCOMP_DATA_WORDS * 4))
      throw new Error(`${i}: loads offset ${operand}`)
    if (![0x20, 0x54, 0x05, 0x06].includes(opcode) && !isJump(opcode))
      throw new Error(`${i}: opcode ${opcode}`)
  })
  if (code[last] !== 0x06) throw new Error('does not end with a return')
}

function isJump(opcode: number): boolean {
  return [0x15, 0x25, 0x35, 0x45].includes(opcode)
}

/** struct seccomp_data of `call`. */
export function seccompData({ number, architecture, args }: SeccompCall): Uint32Array {
  const data = new Uint32Array(SECCOMP_DATA_WORDS)
  data[0] = number
  data[1] = architecture
  args.forEach((value, i) => {
    data[4 + 2 * i] = Number(value & 0xffff_ffffn)
    data[5 + 2 * i] = Number((value >> 32n) & 0xffff_ffffn)
  })
  return data
}

function run(
  code: readonly number[],
  jt: readonly number[],
  jf: readonly number[],
  k: readonly number[],
  data: Uint32Array,
): FilterRun {
  let a = 0
  let executed = 0
  for (let pc = 0; ; pc++) {
    executed++
    const operand = k[pc] ?? 0
    switch (code[pc]) {
      case 0x20:
        a = data[operand / 4] ?? 0
        break
      case 0x54:
        a = (a & operand) >>> 0
        break
      case 0x05:
        pc += operand
        break
      case 0x15:
        pc += (a === operand ? jt[pc] : jf[pc]) ?? 0
        break
      case 0x25:
        pc += (a > operand ? jt[pc] : jf[pc]) ?? 0
        break
      case 0x35:
        pc += (a >= operand ? jt[pc] : jf[pc]) ?? 0
        break
      case 0x45:
        pc += ((a & operand) !== 0 ? jt[pc] : jf[pc]) ?? 0
        break
      case 0x06:
        return { verdict: operand, executed }
      default:
        throw new Error(`instruction ${pc} is not one`)
    }
  }
}
