/** Assembles classic BPF (linux/filter.h, linux/bpf_common.h) from its last instruction to its first. */

/** The instructions that seccomp_check_filter() of kernel/seccomp.c allows and that tsrun uses. */
export const BPF_LD_ABS = 0x20
export const BPF_AND = 0x54
export const BPF_JA = 0x05
export const BPF_JEQ = 0x15
export const BPF_JGT = 0x25
export const BPF_JGE = 0x35
export const BPF_JSET = 0x45
export const BPF_RET = 0x06

/** sizeof(struct sock_filter). */
export const BPF_INSTRUCTION_SIZE = 8
/** BPF_MAXINSNS: the kernel refuses longer programs with EINVAL. */
export const BPF_MAX_INSTRUCTIONS = 4096

/** struct seccomp_data of linux/seccomp.h. */
export const OFFSET_NUMBER = 0
export const OFFSET_ARCHITECTURE = 4
export const OFFSET_ARGUMENTS = 16

/** jt and jf are bytes: what is farther away needs a BPF_JA in between. */
const FARTHEST_JUMP = 255

/**
 * A place in the program, counted from its end. Jumps go forward only, so a program that is
 * assembled backwards knows every target when it comes to the jump.
 */
export type Label = number

export type JumpOpcode = typeof BPF_JEQ | typeof BPF_JGT | typeof BPF_JGE | typeof BPF_JSET

/** Each method puts an instruction before all others and returns its place. */
export class BpfAssembler {
  /** code, jt and jf of struct sock_filter as the little-endian word they lie in. */
  readonly #heads: number[] = []
  readonly #operands: number[] = []
  /** The nearest return of each value. */
  readonly #returns = new Map<number, Label>()

  get length(): number {
    return this.#heads.length
  }

  /** Ends the filter with `action`; one that stands already is used again. */
  ret(action: number): Label {
    return this.#returns.get(action) ?? this.#emitReturn(action)
  }

  /** A := the word of seccomp_data at `offset`. */
  load(offset: number, next: Label): Label {
    this.#fallInto(next)
    return this.#emit(BPF_LD_ABS, offset)
  }

  /** A := A & mask. */
  and(mask: number, next: Label): Label {
    this.#fallInto(next)
    return this.#emit(BPF_AND, mask)
  }

  /** Compares A with `operand`. */
  jump(opcode: JumpOpcode, operand: number, ifTrue: Label, ifFalse: Label): Label {
    if (ifTrue === ifFalse) return ifTrue
    // Bringing the second target near may move the first one a place away.
    const yes = this.#bringNear(ifTrue, FARTHEST_JUMP - 1)
    const no = this.#bringNear(ifFalse, FARTHEST_JUMP)
    const jumps = ((this.length - yes) << 16) | ((this.length - no) << 24)
    return this.#emit(opcode | jumps, operand)
  }

  /** struct sock_filter[] beginning at `entry`; x86_64 and aarch64 are little endian, as is Node there. */
  finish(entry: Label): Uint8Array {
    this.#fallInto(entry)
    const words = new Uint32Array(this.length * 2)
    for (let to = 0, from = this.length - 1; from >= 0; from--) {
      words[to++] = this.#heads[from] ?? 0
      words[to++] = this.#operands[from] ?? 0
    }
    return new Uint8Array(words.buffer)
  }

  #emit(head: number, operand: number): Label {
    this.#heads.push(head)
    return this.#operands.push(operand)
  }

  #emitReturn(action: number): Label {
    const label = this.#emit(BPF_RET, action)
    this.#returns.set(action, label)
    return label
  }

  #fallInto(next: Label): void {
    if (next !== this.length) this.#emit(BPF_JA, this.length - next)
  }

  #bringNear(target: Label, farthest: number): Label {
    if (this.length - target <= farthest) return target
    if (this.#heads[target - 1] !== BPF_RET) return this.#emit(BPF_JA, this.length - target)
    // A return is as short as a jump to it, and one step faster.
    const action = this.#operands[target - 1] ?? 0
    const nearest = this.ret(action)
    return this.length - nearest <= farthest ? nearest : this.#emitReturn(action)
  }
}
